"""The shipped stand-in for an engine: instances in this process's memory, one file per noun."""
