# Thin names for dev.py. `make run HOST=func` reaches the program as an environment variable;
# `make test ARGS="-k snapshot"` hands arguments on, `make bench ARGS=--help` explains them.
PYTHON ?= python3

.PHONY: run test test-fast bench soak smoke preflight lock help
run test test-fast bench soak smoke preflight lock:
	@$(PYTHON) dev.py $@ $(if $(ARGS),-- $(ARGS))
help:
	@$(PYTHON) dev.py --help
