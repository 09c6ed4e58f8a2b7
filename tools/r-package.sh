#!/bin/sh
# r-package.sh PROGRAM: builds r/, checks it as CRAN does (without the network), and runs its tests and examples with PROGRAM.
# What is missing is said, and with REPLICAST_NO_SKIPS is a failure, as a skipped test is.
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
leave() { [ -z "${REPLICAST_NO_SKIPS:-}" ] || exit 1; exit 0; }
command -v R >/dev/null || { echo "R is not installed (Debian: apt install r-base-core); the R package is not tested"; leave; }
missing=
for package in processx jsonlite testthat withr callr cli progressr tibble knitr rmarkdown; do
  Rscript --vanilla -e "quit(status = !requireNamespace('$package', quietly = TRUE))" >/dev/null 2>&1 ||
    missing="$missing r-cran-$package"
done
command -v qpdf >/dev/null || missing="$missing qpdf"
[ -z "$missing" ] || { echo "missing:$missing (Debian: apt install$missing); the R package is not tested"; leave; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export REPLICAST_PROGRAM="$program" REPLICAST_PACKAGE="$PWD" NOT_CRAN=true _R_CHECK_FORCE_SUGGESTS_=false
export _R_CHECK_CRAN_INCOMING_=false _R_CHECK_SYSTEM_CLOCK_=FALSE
cp -r r "$folder/source"
cd "$folder"
# The check asks CRAN about every suggested package that is not installed; an empty repository answers without the network.
mkdir -p cran/src/contrib cran/web/packages
: >cran/src/contrib/PACKAGES
Rscript --vanilla -e 'saveRDS(data.frame(Package = character(), Maintainer = character()), "cran/web/packages/packages.rds")'
printf 'menu_name\tURL\tdefault\tsource\twin.binary\tmac.binary\nCRAN\tCRAN\tfile://%s/cran\tTRUE\tTRUE\tFALSE\tFALSE\n' "$PWD" >repositories
export R_REPOSITORIES="$PWD/repositories" R_CRAN_WEB="file://$PWD/cran" R_CRAN_SRC="file://$PWD/cran"
R CMD build source >build.log 2>&1 || { cat build.log; exit 1; }
R CMD check --as-cran --no-manual replicast_*.tar.gz >check.log 2>&1 || { cat check.log; exit 1; }
grep -E "checking (tests|examples|re-building)|^Status" check.log
if grep -qE "^Status:.*(ERROR|WARNING)" check.log; then cat check.log; exit 1; fi
results=replicast.Rcheck/tests/testthat.Rout
counts=$(sed -n 's/.*FAIL \([0-9]*\) .*SKIP \([0-9]*\) .*PASS \([0-9]*\).*/R package: \3 passed, \1 failed, \2 skipped/p' "$results" | tail -1)
echo "${counts#R package: }"
case $counts in *" 0 skipped") ;; *) sed -n '/Skipped/,$p' "$results"; leave ;; esac
