# Compares each C++ block of README.md, docs/extending.md and docs/series.md with the part of an example that it is cut
# from: the lines between `// [name]` and `// [/name]`, less the indentation of a function's body.
cmake_minimum_required(VERSION 3.25)

set(snippets_of_README.md worked_example:compose worked_example:train encode:encode)
set(snippets_of_docs/extending.md
  custom_mask:policy custom_learning_mask:mask own_arrays:arrays custom_parts:dataset custom_parts:objective
  custom_rule:rule custom_rule:average custom_head:head custom_head:use two_views:cross
  two_views:views two_views:meeting)
set(snippets_of_docs/series.md forecast:train forecast:use)

# The text of a snippet, example:name, as a document shows it; empty where there is none.
function(cut snippet result)
  string(REPLACE ":" ";" parts ${snippet})
  list(GET parts 0 example)
  list(GET parts 1 name)
  file(READ ${root}/examples/${example}.cpp source)
  string(FIND "${source}" "// [${name}]\n" first)
  string(FIND "${source}" "// [/${name}]" last)
  set(${result} "" PARENT_SCOPE)
  if(first EQUAL -1 OR last EQUAL -1)
    message(SEND_ERROR "examples/${example}.cpp has no part named ${name}")
    return()
  endif()
  string(LENGTH "// [${name}]\n" marker)
  math(EXPR first "${first} + ${marker}")
  math(EXPR length "${last} - ${first}")
  string(SUBSTRING "${source}" ${first} ${length} text)
  if(text MATCHES "^  ")
    string(REPLACE "\n  " "\n" text "\n${text}")
  endif()
  string(STRIP "${text}" text)
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

foreach(document IN ITEMS README.md docs/extending.md docs/series.md)
  file(READ ${root}/${document} shown)
  foreach(snippet IN LISTS snippets_of_${document})
    cut(${snippet} text)
    string(FIND "${shown}" "```cpp\n${text}\n```" found)
    if(found EQUAL -1)
      message(SEND_ERROR "${document} does not show ${snippet} as it is:\n${text}")
    endif()
  endforeach()

  string(REGEX MATCHALL "```cpp\n" blocks "${shown}")
  list(LENGTH blocks blocks)
  list(LENGTH snippets_of_${document} known)
  if(NOT blocks EQUAL known)
    message(SEND_ERROR "${document} has ${blocks} C++ blocks, of which ${known} are compared")
  endif()
endforeach()
