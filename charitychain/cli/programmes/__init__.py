"""The commands of ``programme``, one module each."""
