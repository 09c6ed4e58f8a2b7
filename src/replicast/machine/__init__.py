"""Everything that depends on the operating system: its processes, their deaths, its memory. Linux and macOS alike."""
