# Parameters as the model's defaults are: what JSON holds, as the Date, time, data.frame or names that are meant.
# `replay` writes these lines too, for a plain R.

like_defaults <- function(given, simulate) {
  defaults <- formals(args(simulate))
  for (name in intersect(names(given), names(defaults))) {
    given[name] <- list(like_default(given[[name]], value_of_default(defaults[[name]])))
  }
  given
}

# The functions that may stand in a default which is evaluated to learn its type.
HARMLESS <- c("c", "list", "-", "+", "*", "/", "^", "(", ":", "as.Date", "as.POSIXct", "data.frame", "seq", "rep")

value_of_default <- function(default) {
  if (is_known(default)) tryCatch(eval(default, globalenv()), error = function(e) quote(unknown))
}

# Whether there is a default that does not wait for the model's call.
is_known <- function(default) !identical(default, quote(expr = )) && is_constant(default)

is_constant <- function(expression) {
  if (is.call(expression)) {
    harmless <- is.name(expression[[1L]]) && as.character(expression[[1L]]) %in% HARMLESS
    return(harmless && all(vapply(as.list(expression)[-1L], is_constant, NA)))
  }
  !is.name(expression) || is.atomic(get0(as.character(expression), envir = globalenv()))
}

# A value as the default is: what came as text, list or vector as the Date, data.frame or named vector that is meant.
like_default <- function(value, default) {
  if (is.null(value) || is.null(default)) return(value)
  if (inherits(default, "Date")) return(as.Date(unlist(value)))
  if (inherits(default, "POSIXct")) return(as_time(unlist(value), default))
  if (inherits(default, "data.frame")) return(as_frame(value))
  if (is.list(default)) return(if (is.atomic(value)) named_like(as.list(value), default) else named_like(value, default))
  if (is.atomic(default) && !is.null(names(default))) return(named_like(unlist(value), default))
  value
}

# In the default's zone; a text with an offset of its own (+02:00) is that instant.
as_time <- function(texts, default) {
  zone <- attr(default, "tzone")
  zone <- if (is.null(zone) || !nzchar(zone[[1L]])) "UTC" else zone[[1L]]
  offsets <- sub(".*?([+-]\\d\\d:\\d\\d(:\\d\\d)?)?$", "\\1", texts, perl = TRUE)
  local <- sub("T", " ", substring(texts, 1L, nchar(texts) - nchar(offsets)), fixed = TRUE)
  times <- as.POSIXct(local, tz = zone)
  for (i in which(nzchar(offsets))) {
    clock <- as.numeric(strsplit(substring(offsets[[i]], 2L), ":", fixed = TRUE)[[1L]])
    ahead <- sum(clock * c(3600, 60, 1)[seq_along(clock)])
    times[[i]] <- as.POSIXct(local[[i]], tz = "UTC") - if (startsWith(offsets[[i]], "-")) -ahead else ahead
  }
  times
}

as_frame <- function(columns) {
  columns <- lapply(columns, function(column) {
    if (is.list(column)) unlist(lapply(column, function(value) if (is.null(value)) NA else value)) else column
  })
  structure(columns, class = "data.frame", row.names = .set_row_names(length(columns[[1L]])))
}

# Names of the default, where the value has none and is as long.
named_like <- function(value, default) {
  if (is.null(names(value)) && length(value) == length(default)) names(value) <- names(default)
  value
}
