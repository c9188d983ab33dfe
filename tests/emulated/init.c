/* First process of the emulated machine (run.sh): calls `/program /input /output` once, tells the serial
 * console how it ended, sends /output through the parallel port, whose bytes Bochs writes to a file, and ends
 * the emulator. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PARALLEL_PORT 0x378 /* data; status and control follow */
#define BOCHS_PORT 0x8900   /* takes the word that shuts Bochs down */

/* Makes the serial line standard input and output, bytes as they are. */
static void open_console(void) {
    struct termios line;
    const int console = open("/dev/ttyS0", O_RDWR);
    if (console < 0)
        return;
    if (tcgetattr(console, &line) == 0) {
        line.c_oflag &= ~(tcflag_t)OPOST;
        tcsetattr(console, TCSANOW, &line);
    }
    dup2(console, 0);
    dup2(console, 1);
    dup2(console, 2);
}

/* The program's exit code, 128 + signal if one ended it. */
static int run_program(void) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        execl("/program", "program", "/input", "/output", (char *)NULL);
        perror("/program");
        _exit(127);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A byte is printed when the strobe rises while the printer is selected (8) and not reset (4). */
static void print_byte(unsigned char byte) {
    outb(byte, PARALLEL_PORT);
    outb(4 | 8 | 1, PARALLEL_PORT + 2);
    outb(4 | 8, PARALLEL_PORT + 2);
}

static long send_output(void) {
    unsigned char block[65536];
    size_t got, i;
    long sent = 0;
    FILE *file = fopen("/output", "rb");
    if (file == NULL)
        return 0;
    outb(4 | 8, PARALLEL_PORT + 2);
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        for (i = 0; i < got; i++)
            print_byte(block[i]);
        sent += (long)got;
    }
    fclose(file);
    return sent;
}

int main(void) {
    const char *letter;
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    open_console();
    printf("\nconvsmith: program starts\n");
    fflush(stdout);
    const int code = run_program();
    printf("\nconvsmith: program ended %d\n", code);
    fflush(stdout);
    if (iopl(3) == 0)
        printf("convsmith: output sent: %ld bytes\n", send_output());
    fflush(stdout);
    tcdrain(1);
    for (letter = "Shutdown"; *letter != '\0'; letter++)
        outb((unsigned char)*letter, BOCHS_PORT);
    for (;;)
        pause();
}
