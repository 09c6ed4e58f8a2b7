# What a loaded model says of itself: its arguments with the types of their defaults, and what it ran under.

BASE_PACKAGES <- c(
  "base", "compiler", "datasets", "graphics", "grDevices", "grid", "methods", "parallel", "splines", "stats", "stats4",
  "tcltk", "tools", "utils"
)

RESERVED <- c("replication", "params", "seed", "seed32", "antithetic")

describe_model <- function(request) {
  arguments <- formals(args(model$value))
  names <- as.character(names(arguments))
  collate <- get0(request$collate, envir = globalenv(), mode = "function", inherits = FALSE, ifnotfound = absent)
  put(c(LOADED, any(c("...", "params") %in% names), is.function(collate)))
  put_texts(intersect(RESERVED, names))
  put_texts(if (is.function(collate) && length(formals(collate))) names(formals(collate))[[1L]] else character())
  packages <- sort(setdiff(loadedNamespaces(), BASE_PACKAGES))
  put_texts(c("R", packages))
  put_texts(c(paste(R.version$major, R.version$minor, sep = "."), vapply(packages, getNamespaceVersion, "")))
  put_table("parameters", described(arguments[setdiff(names, c(RESERVED, "..."))]))
  send()
}

described <- function(arguments) {
  defaults <- lapply(arguments, default_of)
  types <- vapply(defaults, function(default) default$type, "", USE.NAMES = FALSE)
  plain <- function(type, missing) {
    values <- rep(missing, length(defaults))
    values[types == type] <- vapply(defaults[types == type], function(default) default$value, missing)
    values
  }
  data.frame(
    name = as.character(names(arguments)),
    required = vapply(arguments, identical, NA, quote(expr = ), USE.NAMES = FALSE),
    type = types,
    integer = plain("integer", NA_integer_), double = plain("double", NA_real_),
    boolean = plain("boolean", NA), string = plain("string", NA_character_),
    numeric = vapply(defaults, function(default) is_numeric_vector(default$value), NA, USE.NAMES = FALSE)
  )
}

# The functions that may stand in a default which is evaluated to learn its type.
HARMLESS <- c("c", "list", "-", "+", "*", "/", "^", "(", ":", "as.Date", "as.POSIXct", "data.frame", "seq", "rep")

default_of <- function(default) {
  if (identical(default, quote(expr = ))) return(list(type = "other"))
  if (!is_constant(default)) return(list(type = "other"))
  value <- tryCatch(eval(default, globalenv()), error = function(e) quote(unknown))
  list(type = type_of(value), value = value)
}

is_constant <- function(expression) {
  if (is.call(expression)) {
    harmless <- is.name(expression[[1L]]) && as.character(expression[[1L]]) %in% HARMLESS
    return(harmless && all(vapply(as.list(expression)[-1L], is_constant, NA)))
  }
  !is.name(expression) || is.atomic(get0(as.character(expression), envir = globalenv()))
}

is_numeric_vector <- function(value) is.numeric(value) && is.atomic(value) && !is.object(value) && length(value) > 1L

type_of <- function(value) {
  if (is.null(value)) return("null")
  if (inherits(value, "Date")) return("date")
  if (inherits(value, "POSIXct")) return("time")
  if (is_frame(value)) return("frame")
  if (is.atomic(value) && !is.object(value) && !is.null(names(value))) return("named")
  if (is.list(value) || (is.atomic(value) && length(value) != 1L)) return("list")
  if (is.object(value) || identical(value, NA)) return("other")
  switch(typeof(value), integer = "integer", double = "double", logical = "boolean", character = "string", "other")
}

# A value as the default is: what came as text, list or vector as the Date, data.frame or named vector that is meant.
like_default <- function(value, default) {
  if (is.null(value) || is.null(default)) return(value)
  if (inherits(default, "Date")) return(as.Date(unlist(value)))
  if (inherits(default, "POSIXct")) return(as_time(unlist(value), default))
  if (is_frame(default)) return(as_frame(value))
  if (is.list(default)) return(if (is.atomic(value)) named_like(as.list(value), default) else named_like(value, default))
  if (is.atomic(default) && !is.null(names(default))) return(named_like(unlist(value), default))
  value
}

as_time <- function(texts, default) {
  zone <- attr(default, "tzone")
  as.POSIXct(sub("T", " ", texts, fixed = TRUE), tz = if (is.null(zone) || !nzchar(zone[[1L]])) "UTC" else zone[[1L]])
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
