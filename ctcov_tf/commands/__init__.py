"""The commands of `ctcov`, one module each.

`add_arguments` gives a command's parser its arguments. `main` is the command: it takes them by name and returns the
exit code; its docstring is what `--help` says. What does the work is imported in `main`, where it is needed.
"""
