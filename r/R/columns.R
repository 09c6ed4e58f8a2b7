# Tables as `replicast collate --format rcolumns` writes them: a line of JSON, then each column's raw numbers.

DOUBLE <- 1L
INTEGER <- 2L
LOGICAL <- 3L
TEXT <- 4L
DATE <- 5L
TIME <- 6L
INTEGER64 <- 7L
MAGIC <- "replicast columns 2"

read_columns <- function(file) {
  connection <- file(file, "rb")
  on.exit(close(connection))
  head <- strsplit(readLines(connection, 1L, encoding = "UTF-8"), "\t", fixed = TRUE)[[1L]]
  if (length(head) != 2L || head[[1L]] != MAGIC) {
    stop("the program replicast and this package do not fit together; install both from the same ",
         "repository: ", HOW_TO_INSTALL)
  }
  described <- jsonlite::fromJSON(head[[2L]], simplifyVector = TRUE)
  columns <- Map(
    function(kind, zone, factor) read_column(connection, described$rows, kind, zone, factor),
    described$kinds, described$zones, described$factors
  )
  names(columns) <- described$columns
  structure(unname(columns), names = described$columns, class = "data.frame", row.names = .set_row_names(described$rows))
}

read_column <- function(connection, rows, kind, zone, factor) {
  if (kind == TEXT) return(read_texts(connection, rows, factor))
  values <- readBin(connection, if (kind %in% c(INTEGER, LOGICAL)) "integer" else "double", rows)
  if (kind == LOGICAL) as.logical(values)
  else if (kind == DATE) structure(values, class = "Date")
  else if (kind == TIME) structure(values, class = c("POSIXct", "POSIXt"), tzone = zone)
  else if (kind == INTEGER64) structure(values, class = "integer64")
  else values
}

# Texts, or a factor, whose distinct texts are its levels.
read_texts <- function(connection, rows, factor) {
  sizes <- readBin(connection, "integer", 2L)
  texts <- readBin(readBin(connection, "raw", sizes[[1L]]), "character", sizes[[2L]])
  Encoding(texts) <- "UTF-8"
  codes <- readBin(connection, "integer", rows)
  if (!nzchar(factor)) return(texts[codes])
  structure(codes, levels = texts, class = c(if (factor == "ordered") "ordered", "factor"))
}

as_frame <- function(frame) if (requireNamespace("tibble", quietly = TRUE)) tibble::as_tibble(frame) else frame
