# The menu of small steps. Each is a function in .ci/steps.sh, which .ci/run calls too; without just: bash .ci/steps.sh NAME
# CONTRIBUTING.md says how long each takes.

set positional-arguments

_list:
    @{{ just_executable() }} --list --unsorted

# Compile the program
build *arguments:
    @bash .ci/steps.sh build "$@"

# Unit tests and the quick integration tests; arguments are filters of names
fast *arguments:
    @bash .ci/steps.sh fast "$@"

# All tests of the program and of the sandbox, but for sweep, power and model
test *arguments:
    @bash .ci/steps.sh test "$@"

# Every fault of the network at every endpoint
network *arguments:
    @bash .ci/steps.sh network "$@"

# Kill commands and fail their calls on the disk: just sweep kill 'idle run'
sweep *arguments:
    @bash .ci/steps.sh sweep "$@"

# Cut the power where the sweep kills: just power 'idle run'
power *arguments:
    @bash .ci/steps.sh power "$@"

# Random histories against a model
model *arguments:
    @bash .ci/steps.sh model "$@"

# The whole story against the sandbox
demo:
    @bash .ci/steps.sh demo

# An AWeber on loopback, to try the program with
sandbox *arguments:
    @bash .ci/steps.sh sandbox "$@"

# Load the export into SQLite, PostgreSQL, pandas and others
readers:
    @bash .ci/steps.sh readers

# Keep the tokens in Redis, age, pass and a Kubernetes Secret
token-stores:
    @bash .ci/steps.sh token-stores

# The benchmark at its smallest; or with arguments: just bench --sizes 10000 --runs 3
bench *arguments:
    @bash .ci/steps.sh bench "$@"

# Format the code
format:
    @bash .ci/steps.sh format

# Formatting, clippy and documentation, warnings are errors
lint:
    @bash .ci/steps.sh lint

# Licenses, bans and sources of the dependencies
deny:
    @bash .ci/steps.sh deny

# Known vulnerabilities of the dependencies; needs the network
advisories:
    @bash .ci/steps.sh advisories

# The release binary, its size and its number of crates
release:
    @bash .ci/steps.sh release

# The crate as it would be published
package:
    @bash .ci/steps.sh package

# The judge of OAuth 1.0a signatures, for the tests
oauthlib:
    @bash .ci/steps.sh oauthlib

# The GitHub workflows
workflows:
    @bash .ci/steps.sh workflows

# systemd, cron, the Debian package, Docker, Kubernetes, and the README as typed; needs root
places:
    @bash .ci/steps.sh places

# Everything that CI does; PLACES=0 leaves out places
ci:
    @bash .ci/steps.sh ci
