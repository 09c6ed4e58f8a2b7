# Installs the system packages that the tests use, where this is Debian and we are root; else says what is missing.
# R, packages of R's (streams are compared with them; the R package in r/ is built and tested with them), Chromium (pages are looked at); LibreOffice (opens spreadsheets); npm (the state
# machine is checked by a validator from there).
r_packages='future.apply dorng:doRNG data.table tibble processx jsonlite testthat withr callr cli progressr knitr rmarkdown here pkgload readxl'
missing=
command -v Rscript >/dev/null || missing="$missing r-base-core"
if command -v Rscript >/dev/null; then
  for package in $r_packages; do
    name=${package##*:}
    Rscript --vanilla -e "quit(status = !requireNamespace('$name', quietly = TRUE))" >/dev/null 2>&1 ||
      missing="$missing r-cran-${package%%:*}"
  done
else
  for package in $r_packages; do missing="$missing r-cran-${package%%:*}"; done
fi
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
  missing="$missing chromium"
command -v qpdf >/dev/null || missing="$missing qpdf" # R CMD check asks for it
command -v soffice >/dev/null || missing="$missing libreoffice-calc-nogui" # a spreadsheet that was collated is opened
command -v openssl >/dev/null || missing="$missing openssl"
command -v npm >/dev/null || missing="$missing npm"
command -v slurmctld >/dev/null && command -v munged >/dev/null || missing="$missing slurm-wlm munge"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing:$missing"
  (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing) >/tmp/replicast-apt.log 2>&1 ||
    { tail -5 /tmp/replicast-apt.log; echo "these could not be installed:$missing; tests that need them are skipped"; }
else
  echo "missing:$missing (Debian: apt install$missing); tests that need them are skipped"
fi
exit 0
