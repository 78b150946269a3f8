"""The command lines: thin click commands over the library. Installed as `fdcli`; nothing imports it.

A module a command or group of commands, each with its click object under the name `command`. Nothing heavy is imported
at the top of any of them: `fdgen --help` imports click alone, and `fdgen build --help` that and `build.py`.
"""
