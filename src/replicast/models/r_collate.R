# The model's own collation and output chunk.

# Tables come before anything can fail, so that the pipe is empty whatever does.
collate_results <- function(request) {
  given <- lapply(request$tables, read_table)
  names(given) <- vapply(request$tables, function(table) table$name, "")
  if (!is.null(request$objects)) given <- unname(request$objects)
  result <- NULL
  failure <- attempt(function() {
    prepare_process(request$folder)
    evaluate_file(request$file, TRUE)
    missing <- find_function(request)
    if (!is.null(missing)) end_with(missing)
    result <<- called_on(request$`function`, given, is.null(request$objects))
    NULL
  })
  if (is.null(failure)) failure <- attempt(function() put_collated(result))
  if (!is.null(failure)) refuse(failure) else send()
}

called_on <- function(name, given, are_tables) {
  values <- new.env(parent = globalenv())
  if (are_tables) values$tables <- given else values$objects <- lapply(given, readRDS)
  depth <<- sys.nframe() + 2L
  eval(as.call(list(as.name(name), as.name(if (are_tables) "tables" else "objects"))), values)
}

WANTED <- "a data.frame or a named list of data.frames"

put_collated <- function(result) {
  stage <<- READING
  if (is.null(result)) result <- structure(list(), names = character())
  if (is_frame(result)) result <- list(collated = result)
  fits <- is.list(result) && (!length(result) || is_named(result)) && all(vapply(result, is_frame, NA))
  if (!fits) unusable("collate returned ", description(result), "; it must return ", WANTED)
  put(c(COLLATED, length(result)))
  for (name in names(result)) put_table(name, columns_of(result[[name]], name))
  NULL
}

read_table <- function(table) {
  columns <- lapply(seq_along(table$kinds), function(i) read_column(table$rows, table$kinds[[i]], table$zones[[i]]))
  names(columns) <- as.character(table$columns)
  structure(columns, class = "data.frame", row.names = .set_row_names(table$rows))
}

read_column <- function(rows, kind, zone) {
  if (kind == TEXT) return(read_text_column(rows))
  values <- readBin(requests, if (kind %in% c(INTEGER, LOGICAL)) "integer" else "double", rows)
  if (kind == LOGICAL) as.logical(values)
  else if (kind == DATE) structure(values, class = "Date")
  else if (kind == TIME) structure(values, class = c("POSIXct", "POSIXt"), tzone = zone)
  else if (kind == INTEGER64) structure(values, class = "integer64")
  else values
}

read_text_column <- function(rows) {
  sizes <- readBin(requests, "integer", 2L)
  texts <- readBin(readBin(requests, "raw", sizes[[1L]]), "character", sizes[[2L]])
  Encoding(texts) <- "UTF-8"
  texts[readBin(requests, "integer", rows)]
}
