# Extracts the N-th code block of a language from README.md, so that the examples in it are compiled and run as they
# stand: cmake -DREADME=... -DLANGUAGE=cpp -DINDEX=0 -DOUTPUT=... -P readme_example.cmake
file(READ ${README} text)
string(REPLACE ";" "<semicolon>" text "${text}")
string(REGEX MATCHALL "```${LANGUAGE}\n([^`]*)```" blocks "${text}")
list(GET blocks ${INDEX} block)
string(REGEX REPLACE "^```${LANGUAGE}\n|```$" "" block "${block}")
string(REPLACE "<semicolon>" ";" block "${block}")
file(WRITE ${OUTPUT} "${block}")
