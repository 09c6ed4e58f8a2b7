# Parameters as TOML, which keeps 1L apart from 1 and every digit of a double.

toml_document <- function(values) paste(c(toml_lines(values, character())), collapse = "\n")

toml_lines <- function(values, path) {
  is_table <- vapply(values, is_toml_table, NA)
  lines <- if (any(!is_table)) Map(toml_pair, names(values)[!is_table], values[!is_table], MoreArgs = list(path = path))
  inner <- lapply(names(values)[is_table], function(name) {
    here <- c(path, name)
    c("", paste0("[", paste(toml_key(here), collapse = "."), "]"), toml_lines(values[[name]], here))
  })
  c(unlist(lines, use.names = FALSE), unlist(inner, use.names = FALSE))
}

# An empty list with names, even none, is a table as well: a scenario that changes nothing.
is_toml_table <- function(value) is.list(value) && !is.data.frame(value) &&
  (is_named(value) || identical(names(value), character()))

toml_pair <- function(name, value, path) paste(toml_key(name), "=", toml_value(value, paste(c(path, name), collapse = ".")))

toml_key <- function(name) vapply(name, toml_text, "", USE.NAMES = FALSE)

is_named <- function(value) length(value) > 0L && !is.null(names(value)) && all(nzchar(names(value)))

# One value; `where` names it in a refusal.
toml_value <- function(value, where) {
  if (is.null(value)) stop(where, " is NULL, which no parameter can be given; leave it out", call. = FALSE)
  if (inherits(value, "POSIXlt")) value <- as.POSIXct(value)
  say_what_is_lost(value, where)
  if (is.data.frame(value)) return(toml_value(lapply(value, as.list), where))
  if (is.list(value)) return(toml_list(value, where))
  if (is.factor(value)) value <- as.character(value)
  if (is.atomic(value) && anyNA(value) && (!is.double(value) || is.object(value))) {
    stop(where, " holds NA, which no parameter can be given", call. = FALSE)
  }
  texts <- toml_scalars(value, where)
  if (is_named(value)) return(paste0("{", paste(toml_key(names(value)), "=", texts, collapse = ", "), "}"))
  if (length(value) == 1L && !inherits(value, "AsIs")) texts else paste0("[", paste(texts, collapse = ", "), "]")
}

# Parameters are plain: what a value is beside that reaches the model only where the parameter's default is alike.
say_what_is_lost <- function(value, where) {
  how <- if (is.data.frame(value)) "a data frame reaches the model as one where the default is one, else as a list"
  else if (is.array(value)) "an array reaches the model as a vector, without its dimensions"
  else if (inherits(value, "POSIXct")) "a time reaches the model as one where the default is one, else as text"
  else if (inherits(value, "difftime")) paste("a difftime reaches the model as its number of", attr(value, "units"))
  else if (is.atomic(value) && is_named(value)) "names reach the model where the default has names, else it gets a list"
  if (!is.null(how)) message(where, ": ", how)
}

toml_list <- function(value, where) {
  texts <- vapply(value, toml_value, "", where = where)
  if (!is_named(value)) return(paste0("[", paste(texts, collapse = ", "), "]"))
  paste0("{", paste(toml_key(names(value)), "=", texts, collapse = ", "), "}")
}

toml_scalars <- function(value, where) {
  if (inherits(value, "Date")) return(format.Date(value, "%Y-%m-%d"))
  if (inherits(value, "POSIXct")) return(format.POSIXct(value, "%Y-%m-%dT%H:%M:%OS6Z", tz = "UTC"))
  switch(typeof(unclass(value)),
    logical = ifelse(value, "true", "false"),
    integer = format(unclass(value), scientific = FALSE, trim = TRUE),
    double = vapply(as.vector(unclass(value)), toml_double, "", where = where),
    character = vapply(value, toml_text, "", USE.NAMES = FALSE),
    stop(where, " is of type ", typeof(value), "; parameters are numbers, texts, truths, dates, and lists of these",
         call. = FALSE)
  )
}

toml_double <- function(value, where) {
  if (is.na(value) && !is.nan(value)) stop(where, " holds NA, which no parameter can be given", call. = FALSE)
  if (is.nan(value)) return("nan")
  if (is.infinite(value)) return(if (value > 0) "inf" else "-inf")
  text <- format(value, digits = 15L)
  if (as.double(text) != value) text <- sprintf("%.17g", value)
  if (grepl("[.eE]", text)) sub("^(-?[0-9]+)(e)", "\\1.0\\2", text) else paste0(text, ".0")
}

toml_text <- function(text) {
  if (is.na(text)) stop("a text is NA, which no parameter can be given", call. = FALSE)
  codes <- utf8ToInt(enc2utf8(text))
  if (!length(codes)) return("\"\"")
  plain <- codes >= 32L & codes < 127L & codes != 34L & codes != 92L
  paste0("\"", paste0(ifelse(plain, vapply(codes, intToUtf8, ""), sprintf("\\U%08X", codes)), collapse = ""), "\"")
}
