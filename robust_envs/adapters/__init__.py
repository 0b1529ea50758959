"""What other libraries need beside an environment: one file each, which imports its library when it is imported.

Most libraries need nothing of this: what `robust` returns is an environment of the kind they take.
"""
