# Every target sets up what it needs: a machine with Python >= 3.11, pip and make is enough.
PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin

# Start-up is most of a short command; compiled modules halve it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-long check bench clean

setup: .venv/.made

# pip --target needs no virtual environment and no ensurepip; uv then makes the environment itself.
$(UV):
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools uv

.venv/.made: uv.lock pyproject.toml | $(UV)
	PYTHONPATH=.tools UV_PROJECT_ENVIRONMENT=.venv UV_SYSTEM_CERTS=1 $(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

demo: setup
	$(BIN)/vangnet demo

test: setup
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

# What `test` leaves out to stay below ten minutes on two cores, and everything else.
test-long: setup
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --long

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One benchmark: make bench NAME=fingerprint. All of them: make bench.
NAME ?= fingerprint search discover
bench: setup
	@for name in $(NAME); do $(BIN)/python -m bench.$$name || exit 1; done

clean:
	rm -rf .venv .tools var
