"""The host stand-in keeps the host's semantics; each test names the behaviour that it stands for."""
