#!/bin/sh
# r_packages.sh LIST LOCK   installs R packages in a Debian or Ubuntu image. LIST has `NAME` or `NAME VERSION` a line; LOCK is an
# renv.lock, or empty. Debian's build is taken where it has the version, which takes seconds; the rest is compiled from
# CRAN (from the mirror that Debian's R is set up with), which may take minutes, by renv where versions are asked for. Ends
# with 1 unless every package and version is there.
set -eu
list=$1 lock=$2

# Debian's builds are for Debian's R: where R came with the image, as in rocker's, packages are CRAN's.
debians_r=$(dpkg-query --show --showformat '${db:Status-Status}' r-base-core 2>/dev/null || true)
candidate() { [ "$debians_r" = installed ] && apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)$/\1/p'; }

# Debian's 1.8.4+dfsg-1 is CRAN's 1.8.4, and its 7.3-58.2-1 is CRAN's 7.3-58.2.
upstream() { echo "$1" | sed 's/^[0-9]*://; s/-[^-]*$//; s/[+~].*$//' | tr - .; }

apt-get update
from_debian= locked= newest= missing=
while read -r name version; do
  [ -n "$name" ] || continue
  debian="r-cran-$(echo "$name" | tr 'A-Z' 'a-z')"
  found=$(candidate "$debian")
  if [ -n "$found" ] && { [ -z "$version" ] || [ "$(upstream "$found")" = "$(echo "$version" | tr - .)" ]; }; then
    from_debian="$from_debian $debian"
  elif [ -n "$version" ]; then
    locked="$locked $name" missing="$missing $name $version (Debian: ${found:-none});"
  else
    newest="$newest $name" missing="$missing $name (Debian: none);"
  fi
done <"$list"

[ -z "$from_debian" ] || apt-get install --yes --no-install-recommends $from_debian
if [ -n "$locked$newest" ]; then
  Rscript -e "quit(status = nrow(available.packages()) == 0)" ||
    { echo "Debian has not all R packages as asked for, and CRAN cannot be reached for:$missing" >&2; exit 1; }
  apt-get install --yes --no-install-recommends r-base-dev libcurl4-openssl-dev libssl-dev libxml2-dev
  for package in $newest ${locked:+renv}; do
    Rscript -e "install.packages('$package')" || true
  done
fi
if [ -n "$locked" ]; then
  Rscript -e 'words <- commandArgs(TRUE)' -e 'renv::restore(lockfile = words[1], packages = words[-1],
    library = .libPaths()[1], prompt = FALSE)' "$lock" $locked || true
fi
rm -rf /var/lib/apt/lists/*

exec Rscript -e '
  lines <- strsplit(trimws(readLines(commandArgs(TRUE)[1])), " +")
  wrong <- unlist(lapply(Filter(length, lines), function(line) {
    have <- if (requireNamespace(line[1], quietly = TRUE)) as.character(packageVersion(line[1])) else "none"
    if (have == "none" || length(line) > 1 && have != as.character(package_version(line[2])))
      sprintf("R package %s: asked for %s, and the image has %s", paste(line[1]), c(line, "any version")[2], have)
  }))
  if (length(wrong)) { message(paste(wrong, collapse = "\n")); quit(status = 1) }
' "$list"
