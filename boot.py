# Nothing has to run before main.py: MicroPython has mounted the file system and opened the REPL
# by now, and a fault in a line here would lock the owner out. The file is kept because it takes
# the place of the one that an ESP32 image writes, and of any that a board had before.
