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

# The columns of a data.frame as a plain named list. Row names are dropped.
columns_of <- function(frame, table) {
  columns <- unclass(frame)
  attributes(columns) <- list(names = attr(frame, "names"))
  names <- names(columns)
  nameless <- is.na(names) | !nzchar(names)
  names[nameless] <- paste0("V", seq_along(names))[nameless]
  twice <- names[duplicated(names)]
  if (length(twice)) unusable("table '", table, "' has two columns called '", twice[[1L]], "'")
  names(columns) <- names
  columns
}

# The columns that a model's own table has beside replicast's two, and its rows' names where they say something.
own_columns_of <- function(frame, table) {
  columns <- columns_of(frame, table)
  rows <- attr(frame, "row.names")
  if (is.character(rows) && !all(grepl(ROW_COUNTED, rows))) {
    columns <- c(structure(list(rows), names = free_name("row", names(columns))), columns)
  }
  for (column in names(columns)) note_class(columns[[column]], "column '", column, "' of table '", table, "'")
  for (key in intersect(OURS, names(columns))) columns <- give_way(columns, key, table)
  for (column in names(columns)) if (is.factor(columns[[column]])) tell_levels(table, column, columns[[column]])
  columns
}

# Names that R makes of rows' numbers, also of a row that was taken twice.
ROW_COUNTED <- "^[0-9]+(\\.[0-9]+)*$"
DURATIONS <- c("difftime", "Duration", "ITime")
# Classes that say no more of numbers than is kept.
PLAIN_CLASSES <- c("AsIs", "table", "noquote", "summaryDefault", "proc_time", "object_size", "integer64", "ts", "mts", "zoo", "xts")
TIMES <- c("Date", "POSIXct", "POSIXlt", "factor")

# What is lost of numbers with a class: their unit, their labels.
note_class <- function(values, ...) {
  if (!is.object(values) || inherits(values, TIMES) || has_slots(values)) return()
  if (!is.double(values) && !is.integer(values)) return()
  known <- DURATIONS[inherits(values, DURATIONS, which = TRUE) > 0L]
  other <- setdiff(class(values), c(PLAIN_CLASSES, "matrix", "array", "numeric", "integer"))
  if (length(known)) note(..., if (known[[1L]] == "ITime") " is an " else " is a ", known[[1L]], ": it is written in seconds")
  else if (length(other)) note(..., " is of class '", other[[1L]], "': its numbers are kept, and not what the class says of them")
}

# Numbers whose meaning lies in slots beside them, as a Period's minutes and hours.
has_slots <- function(values) isS4(values) && !inherits(values, "Duration")

# A key column of the model's own that is not the same in all rows is kept under another name; of one that is, and holds
# another value than ours (or 1, by which simmer numbers a single environment), a note says that it is left out.
give_way <- function(columns, key, table) {
  values <- unique(columns[[key]])
  if (length(values) < 2L) {
    ours <- if (key == "scenario") scenario_name else c(current, 1L)
    if (length(values) && !is.na(values[[1L]]) && !(as.character(values[[1L]]) %in% ours)) {
      note("the model's own column '", key, "' of table '", table, "' ", LEFT_OUT)
    }
    return(columns[names(columns) != key])
  }
  kept <- free_name(paste0(key, "_1"), names(columns))
  note("the model's own column '", key, "' of table '", table, "' is kept as '", kept, "'")
  names(columns)[names(columns) == key] <- kept
  columns
}

LEFT_OUT <- "is the same in all rows of a replication and gives way to replicast's: under another name it is kept"

free_name <- function(name, taken) {
  free <- name
  number <- 0L
  while (free %in% taken) free <- paste0(name, "_", number <- number + 1L)
  free
}

# Sentences for whoever reads the run. Each is sent once, by this process.
notes_found <- notes_told <- character()

note <- function(...) {
  sentence <- enc2utf8(paste0(...))
  if (!(sentence %in% notes_told)) notes_found <<- unique(c(notes_found, sentence))
}

put_notes <- function() {
  if (!length(notes_found) && !length(levels_found)) return()
  put(c(NOTED, length(levels_found), double(7L)))
  put_texts(notes_found)
  for (told in levels_found) put_texts(told)
  notes_told <<- c(notes_told, notes_found)
  levels_told <<- c(levels_told, levels_found)
  notes_found <<- character()
  levels_found <<- list()
}

# Levels of factors, which travel as texts: table, column, whether they are in order, labels. Of a column with more than
# one set of them no factor is made again, so a third is not told; nor are labels beyond MOST_LEVELS.
levels_found <- levels_told <- list()
MOST_LEVELS <- 1000L

tell_levels <- function(table, column, values) {
  labels <- levels(values)
  labels <- if (length(labels) <= MOST_LEVELS) enc2utf8(labels[!is.na(labels)])
  told <- c(enc2utf8(c(table, column)), as.character(is.ordered(values)), labels)
  known <- Filter(function(one) identical(one[1:2], told[1:2]), c(levels_told, levels_found))
  if (length(known) < 2L && !any(vapply(known, identical, NA, told))) {
    levels_found[[length(levels_found) + 1L]] <<- told
  }
}

# A table is: its numbers of columns and rows, the kind of each column; its name and its columns' names; the columns.
put_table <- function(name, columns) {
  columns <- lapply(columns, as_plain_time)
  rows <- if (length(columns)) NROW(columns[[1L]]) else 0L
  for (column in names(columns)) check_column(columns[[column]], rows, column, name)
  kinds <- vapply(columns, kind_of_column, 0)
  put(as.double(c(length(columns), rows, kinds)))
  put_texts(c(name, names(columns)))
  for (place in seq_along(columns)) put_column(columns[[place]], kinds[[place]], names(columns)[[place]], name)
}

as_plain_time <- function(values) if (inherits(values, "POSIXlt")) as.POSIXct(values) else values

check_column <- function(values, rows, column, table) {
  refuse_as <- function(...) unusable("column '", column, "' of table '", table, "' ", ...)
  if (length(dim(values)) > 1L) refuse_as("is a matrix or a table; give each of its columns a name of its own")
  if (has_slots(values)) refuse_as("is of class ", class(values)[[1L]], "; a column holds numbers, texts, truths, dates or times")
  if (is.na(kind_of_column(values))) {
    refuse_as("is of type ", typeof(values), "; a column holds numbers, texts, truths, dates or times")
  }
  if (length(values) != rows) refuse_as("has ", length(values), " values for ", rows, " rows")
}

kind_of_column <- function(values) {
  if (is.object(values)) {
    if (is.factor(values)) return(TEXT)
    if (inherits(values, "Date")) return(DATE)
    if (inherits(values, "POSIXct")) return(TIME)
    if (inherits(values, "integer64")) return(INTEGER64)
    if (has_slots(values)) return(NA_real_)
  }
  switch(typeof(values),
    double = DOUBLE, integer = INTEGER, raw = INTEGER, logical = LOGICAL, character = TEXT, NA_real_
  )
}

put_column <- function(values, kind, column, table) {
  if (kind == TEXT) return(put_text_column(values, column, table))
  if (kind == TIME) put_texts(zone_of(values))
  if (inherits(values, "difftime")) values <- as.double(values, units = "secs")
  values <- bare(values)
  if (kind == DATE || kind == TIME) values <- as.double(values)
  if (is.raw(values)) values <- as.integer(values)
  put_vector(values)
}

# The values alone: no class, names or dimension.
bare <- function(values) {
  if (!is.null(attributes(values))) attributes(values) <- NULL
  values
}

zone_of <- function(values) {
  zone <- attr(values, "tzone")[1L]
  if (is.null(zone) || is.na(zone) || !nzchar(zone)) Sys.timezone() else zone
}

# The distinct texts and, for each row, the place of its text, from 1; a missing text has the code NA.
put_text_column <- function(values, column, table) {
  if (is.factor(values)) {
    texts <- levels(values)
    codes <- bare(unclass(values))
  } else {
    texts <- bare(values)
    codes <- seq_along(texts)
    if (anyDuplicated(texts)) {
      texts <- unique(texts)
      codes <- match(values, texts)
    }
  }
  missing <- which(is.na(texts))
  if (length(missing)) {
    codes[codes %in% missing] <- NA_integer_
    texts[missing] <- ""
  }
  if (!all(validUTF8(texts)) && !all(validUTF8(texts[Encoding(texts) != "latin1"]))) {
    unusable("column '", column, "' of table '", table, "' holds text that is not valid UTF-8")
  }
  put_texts(texts)
  put_vector(codes)
}
