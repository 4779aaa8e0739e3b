"""Where bytes rest: append-only stores of opaque entries.

One Protocol (`protocol.Store`), two stores (`file`, `memory`) over the same frames (`frames`), and one conformance kit
in the tests. A store knows nothing of blocks or money.
"""
