# Cody Verse. `make` alone lists what can be done; nothing but make and Python 3.11 has to be there.

ARGS ?=
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$each && break; done)
PY := .venv/bin/python
JOBS ?= auto

.PHONY: help run test check drill bench lock assets clean venv venv-dev

help:  ## list the targets
	@echo "Cody Verse: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-10s %s\n", $$1, $$2 }'

run: venv  ## start everything on http://127.0.0.1:8000 (PORT=8001 elsewhere, DEMO=1 with demo learners)
	@$(PY) tools/assets.py
	@$(PY) -m flask serve $(if $(filter-out 0 no,$(DEMO)),--demo)

test: venv-dev  ## run all tests, browser included (ARGS='-k streak' chooses; JOBS=1 one after the other)
	@$(PY) tools/assets.py --dev
	@$(PY) tools/machine.py
	@$(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: venv-dev  ## formatting, lint, types, layers, templates, content, lock files
	@$(PY) tools/check.py $(ARGS)

drill: venv-dev  ## the long tests: crashes, load, growth
	@$(PY) tools/assets.py --dev
	@$(PY) tools/machine.py drill
	@$(PY) -m pytest -m drill $(ARGS)

bench: venv-dev  ## measure and write docs/measured (ARGS=budgets: only this; CHECK=1 fails past a bar)
	@$(PY) tools/assets.py
	@$(PY) tools/machine.py
	@$(PY) -m bench.run $(if $(filter-out 0 no,$(CHECK)),--check) $(ARGS)

lock: venv-dev  ## write the lock files anew after a change in pyproject.toml (ARGS=--upgrade: newest versions)
	@$(PY) tools/locks.py $(ARGS)
	@$(PYTHON) tools/bootstrap.py dev

assets: venv  ## build what the browser gets (static/dist)
	@$(PY) tools/assets.py $(ARGS)

clean:  ## remove what can be made again (asks first; never your data in .data)
	@printf 'Remove .venv, node_modules, static/dist and the caches? [y/N] '; read answer; \
	case "$$answer" in \
	[yY]*) rm -rf .venv node_modules static/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
		test-results; find . -name __pycache__ -prune -exec rm -rf {} +; echo "Removed.";; \
	*) echo "Nothing removed.";; esac

venv venv-dev:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found: install it (Debian and Ubuntu:" \
		"apt install python3 python3-venv; macOS: brew install python), then call make again." >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py $(if $(filter venv-dev,$@),dev,run)
