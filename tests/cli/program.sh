# shellcheck shell=bash
# Sets RGRID to the rgrid of the build directory ($RGRID_BUILD, else build).
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
RGRID=$RGRID_BUILD/src/main/rgrid
[ -x "$RGRID" ] || RGRID=$RGRID_BUILD/rgrid
export RGRID_BUILD RGRID
