# cmake -D OUTPUT=file.inc -D TABLES="a.json;b.json" -P EmbedSchedules.cmake
#
# Writes the tables as rows {"name", "text"} of a C++ array, in the order of their names. A string literal may be no
# longer than 64 KiB for some compilers, but those next to one another are one.
list(SORT TABLES)
set(rows "")
foreach(table IN LISTS TABLES)
  get_filename_component(name "${table}" NAME_WE)
  file(READ "${table}" text)
  string(LENGTH "${text}" length)
  string(APPEND rows "{\"${name}\",")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 8192 part)
    string(APPEND rows "\nR\"json(${part})json\"")
    math(EXPR at "${at} + 8192")
  endwhile()
  string(APPEND rows "},\n")
endforeach()
file(WRITE "${OUTPUT}" "${rows}")
