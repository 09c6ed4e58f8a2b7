# A data.frame as columns of raw numbers: what the pipe carries is what the memory held, bit for bit.

DOUBLE <- 1
INTEGER <- 2
LOGICAL <- 3
TEXT <- 4
DATE <- 5
TIME <- 6
INTEGER64 <- 7
OURS <- c("scenario", "replication")

unusable <- function(...) {
  message <- paste0(...)
  stop(structure(class = c("UnusableResult", "error", "condition"), list(message = message, call = NULL)))
}

# The columns of a data.frame as a plain named list, without those whose names are replicast's. Row names are dropped.
columns_of <- function(frame, table) {
  columns <- unclass(frame)
  attributes(columns) <- list(names = attr(frame, "names"))
  names <- names(columns)
  nameless <- is.na(names) | !nzchar(names)
  names[nameless] <- paste0("V", seq_along(names))[nameless]
  twice <- names[duplicated(names)]
  if (length(twice)) unusable("table '", table, "' has two columns called '", twice[[1L]], "'")
  names(columns) <- names
  columns[!(names %in% OURS)]
}

put_table <- function(name, frame) {
  columns <- columns_of(frame, name)
  rows <- if (length(columns)) NROW(columns[[1L]]) else 0L
  put(c(length(columns), rows))
  put_texts(c(name, names(columns)))
  for (column in names(columns)) put_column(columns[[column]], rows, column, name)
}

put_column <- function(values, rows, column, table) {
  if (is.list(values) && inherits(values, "POSIXlt")) values <- as.POSIXct(values)
  if (is.list(values)) unusable("column '", column, "' of table '", table, "' is a list; a column holds numbers, texts, truths, dates or times")
  if (length(dim(values)) > 1L) unusable("column '", column, "' of table '", table, "' is a matrix; give each of its columns a name of its own")
  if (length(values) != rows) unusable("column '", column, "' of table '", table, "' has ", length(values), " values for ", rows, " rows")
  if (is.object(values)) put_classed(values, column, table) else put_plain(values, column, table)
}

put_classed <- function(values, column, table) {
  if (is.factor(values)) put_codes(levels(values), as.integer(values), column, table)
  else if (inherits(values, "Date")) put_as(DATE, as.double(values))
  else if (inherits(values, "POSIXct")) put_time(values)
  else if (inherits(values, "difftime")) put_as(DOUBLE, as.double(values, units = "secs"))
  else if (inherits(values, "integer64")) put_as(INTEGER64, bare(values))
  else put_plain(bare(values), column, table)
}

# The values alone: no class, names or dimension.
bare <- function(values) {
  attributes(values) <- NULL
  values
}

put_plain <- function(values, column, table) {
  switch(typeof(values),
    double = put_as(DOUBLE, values),
    integer = put_as(INTEGER, values),
    logical = put_as(LOGICAL, values),
    raw = put_as(INTEGER, as.integer(values)),
    character = {
      texts <- unique(values)
      put_codes(texts, match(values, texts), column, table)
    },
    unusable("column '", column, "' of table '", table, "' is of type ", typeof(values), "; a column holds numbers, texts, truths, dates or times")
  )
}

put_as <- function(kind, values) {
  put(kind)
  put_vector(values)
}

put_time <- function(values) {
  zone <- attr(values, "tzone")[1L]
  put(TIME)
  put_texts(if (is.null(zone) || is.na(zone) || !nzchar(zone)) Sys.timezone() else zone)
  put_vector(as.double(bare(values)))
}

# Texts as the distinct ones and, for each row, the place of its text, from 1; a missing text has the code NA.
put_codes <- function(texts, codes, column, table) {
  missing <- which(is.na(texts))
  if (length(missing)) {
    codes[codes %in% missing] <- NA_integer_
    texts[missing] <- ""
  }
  texts <- enc2utf8(texts)
  if (!all(validUTF8(texts))) unusable("column '", column, "' of table '", table, "' holds text that is not valid UTF-8")
  put(TEXT)
  put_texts(texts)
  put_vector(codes)
}
