# Loading the model's file and running what is the model's, so that nothing it does ends this process or goes unseen.

LOADING <- 0L
SIMULATING <- 1L
READING <- 2L
stage <- LOADING
depth <- 0L
warnings_found <- character()
warning_count <- 0L
WARNINGS_KEPT <- 10L
CALLS_SHOWN <- 40L

# Runs `action`, which holds the model's code. NULL, or how it failed: kind, type, message, traceback.
attempt <- function(action) {
  withRestarts(
    tryCatch(
      withCallingHandlers(without_overflow(action), error = on_error, warning = on_warning),
      replicast_end = function(end) end$failure
    ),
    replicast_quit = function(status) failed("died", "quit", paste0("the model called quit(), status ", status)),
    abort = function() failed("error", "abort", "R gave up, as after the restart \"abort\" or where an error met another error")
  )
}

# R calls no handler on top of an overflown stack, only those to which it can fall back.
without_overflow <- function(action) {
  tryCatch(action(), stackOverflowError = function(error) failed("error", class(error)[[1L]], paste("infinite recursion:", conditionMessage(error))))
}

failed <- function(kind, type, message, traceback = "", package = "") {
  c(kind = kind, type = type, message = message, traceback = traceback, package = package)
}

end_with <- function(failure) {
  stop(structure(class = c("replicast_end", "condition"), list(message = "", call = NULL, failure = failure)))
}

on_error <- function(error) {
  type <- class(error)[[1L]]
  message <- tryCatch(enc2utf8(paste(conditionMessage(error), collapse = "\n")), error = function(e) "(its message cannot be had)")
  if (type == "UnusableResult") end_with(failed("error", type, message))
  if (stage == READING) end_with(failed("error", "UnusableResult", paste("what the model returned cannot be read:", message)))
  package <- if (inherits(error, "packageNotFoundError")) error$package else ""
  end_with(failed("error", type, message, calls_shown(sys.calls()), package))
}

on_warning <- function(warning) {
  level <- getOption("warn")
  if (is.numeric(level) && level >= 2) return()
  if (stage == SIMULATING && !(is.numeric(level) && level < 0)) note_warning(warning)
  if (stage == LOADING) cat("Warning:", conditionMessage(warning), "\n", file = stderr())
  if (!is.null(computeRestarts(warning))) invokeRestart("muffleWarning")
}

note_warning <- function(warning) {
  warning_count <<- warning_count + 1L
  if (warning_count > WARNINGS_KEPT) return()
  called <- conditionCall(warning)
  where <- if (is.null(called) || identical(called[[1L]], call[[1L]])) "" else paste0("In ", shortened(called), ": ")
  warnings_found[[warning_count]] <<- paste0(where, conditionMessage(warning))
}

shortened <- function(called) {
  text <- deparse(called, width.cutoff = 120L, nlines = 1L)[[1L]]
  if (nchar(text) > 120L) paste0(substr(text, 1L, 119L), "…") else text
}

# The model's calls, innermost first as R's traceback() has them, without this file's above and the handlers' below.
calls_shown <- function(calls) {
  calls <- calls[seq_len(length(calls) - 1L)]
  last <- length(calls)
  if (last && identical(calls[[last]][[1L]], quote(.handleSimpleError))) last <- last - 1L
  if (last > 1L && identical(calls[[last]][[1L]], quote(h))) last <- last - 2L
  places <- rev(seq_len(max(0L, last - depth)) + depth)
  shown <- vapply(places, function(place) paste0(place - depth, ": ", shortened(calls[[place]]), line_of(calls[[place]])), "")
  if (length(shown) > CALLS_SHOWN) {
    half <- CALLS_SHOWN %/% 2L
    shown <- c(shown[seq_len(half)], "…", shown[length(shown) - half + seq_len(half)])
  }
  enc2utf8(paste(shown, collapse = "\n"))
}

line_of <- function(called) {
  place <- attr(called, "srcref")
  if (is.null(place)) return("")
  file <- attr(place, "srcfile")$filename
  paste0(" at ", if (is.null(file)) "" else basename(file), "#", place[[1L]])
}

# quit() would take the whole process along, and closeAllConnections() our pipes.
mask_endings <- function() {
  own <- Sys.getpid()
  ending <- function(save = "default", status = 0, runLast = TRUE) {
    if (Sys.getpid() != own) really_quit("no", status, FALSE)
    invokeRestart("replicast_quit", status)
  }
  mask("quit", ending)
  mask("q", ending)
  mask("closeAllConnections", function() {
    restore_sinks()
    for (number in setdiff(getAllConnections(), c(0:2, pipes))) close(getConnection(number))
  })
}

pipes <- as.integer(c(requests, answers))
really_quit <- base::quit

mask <- function(name, replacement) {
  unlockBinding(name, baseenv())
  assign(name, replacement, envir = baseenv())
  lockBinding(name, baseenv())
}

model <- list()

load_model <- function(request) {
  prepare_process(request$folder)
  failure <- attempt(function() evaluate_file(request$file, request$keep_source))
  if (is.null(failure)) failure <- find_function(request)
  if (!is.null(failure)) return(refuse(failure))
  model <<- list(name = as.name(request$`function`), value = get(request$`function`, envir = globalenv()), seeded = request$seeded)
  remember_state()
  describe_model(request)
}

refuse <- function(failure) {
  waiting <<- list()
  put(REFUSED)
  put_texts(failure)
  send()
}

prepare_process <- function(folder) {
  setwd(folder)
  version <- paste0("R-", R.version$major, ".", sub("\\..*", "", R.version$minor))
  own <- Sys.glob(file.path(folder, "renv/library", c("", "*"), version, R.version$platform))
  if (length(own)) {
    Sys.setenv(R_LIBS = paste(own, collapse = ":"))
    .libPaths(c(own, .libPaths()))
  }
  options(device = function(...) grDevices::pdf(NULL, ...))
}

# Evaluates all expressions of a file in the global environment, as Rscript would, with this folder as it is now.
evaluate_file <- function(file, keep_source) {
  stage <<- LOADING
  depth <<- sys.nframe() + 2L
  lines <- readLines(file, warn = FALSE, encoding = "UTF-8")
  if (length(lines) && startsWith(lines[[1L]], "\ufeff")) lines[[1L]] <- substring(lines[[1L]], 2L)
  for (one in as.list(parsed(file, lines, keep_source))) eval(one, globalenv())
  NULL
}

parsed <- function(file, lines, keep_source) {
  tryCatch(
    parse(text = lines, srcfile = srcfilecopy(file, lines, isFile = TRUE), keep.source = keep_source, encoding = "UTF-8"),
    error = function(error) {
      odd <- which(!validUTF8(lines))
      hint <- if (length(odd)) paste0("; line ", odd[[1L]], " is not UTF-8, in which the file has to be saved") else ""
      stop(paste0(conditionMessage(error), hint), call. = FALSE)
    }
  )
}

find_function <- function(request) {
  if (exists(request$`function`, envir = globalenv(), mode = "function", inherits = FALSE)) return(NULL)
  known <- Filter(function(name) is.function(get(name, envir = globalenv())), ls(globalenv()))
  failed("error", "NoFunction", paste(known, collapse = "\n"))
}

BASE_PACKAGES <- c(
  "base", "compiler", "datasets", "graphics", "grDevices", "grid", "methods", "parallel", "splines", "stats", "stats4",
  "tcltk", "tools", "utils"
)

describe_model <- function(request) {
  arguments <- formals(args(model$value))
  names <- as.character(names(arguments))
  collate <- get0(request$collate, envir = globalenv(), mode = "function", inherits = FALSE)
  put(c(LOADED, any(c("...", "params") %in% names), !is.null(collate)))
  put_texts(intersect(c("replication", "params", "seed"), names))
  put_texts(if (is.null(collate)) character() else as.character(names(formals(collate)))[1L])
  packages <- sort(setdiff(loadedNamespaces(), BASE_PACKAGES))
  put_texts(c("R", packages))
  put_texts(c(paste(R.version$major, R.version$minor, sep = "."), vapply(packages, getNamespaceVersion, "")))
  put_table("parameters", described(arguments[setdiff(names, c("replication", "params", "seed", "..."))]))
  send()
}

described <- function(arguments) {
  defaults <- lapply(arguments, default_of)
  plain <- function(kind, missing) vapply(defaults, function(default) if (identical(default$type, kind)) default$value else missing, missing, USE.NAMES = FALSE)
  data.frame(
    name = as.character(names(arguments)), required = vapply(arguments, identical, NA, quote(expr = ), USE.NAMES = FALSE),
    type = vapply(defaults, function(default) default$type, "", USE.NAMES = FALSE),
    integer = plain("integer", NA_integer_), double = plain("double", NA_real_),
    boolean = plain("boolean", NA), string = plain("string", NA_character_)
  )
}

# The functions that may stand in a default which is evaluated to learn its type.
HARMLESS <- c("c", "list", "-", "+", "*", "/", "^", "(", ":")

default_of <- function(default) {
  if (identical(default, quote(expr = ))) return(list(type = "other"))
  if (!is_constant(default)) return(list(type = "other"))
  value <- tryCatch(eval(default, globalenv()), error = function(e) quote(unknown))
  list(type = type_of(value), value = value)
}

is_constant <- function(expression) {
  if (is.call(expression)) {
    return(is.name(expression[[1L]]) && as.character(expression[[1L]]) %in% HARMLESS && all(vapply(as.list(expression)[-1L], is_constant, NA)))
  }
  !is.name(expression) || is.atomic(get0(as.character(expression), envir = globalenv()))
}

type_of <- function(value) {
  if (is.null(value)) return("null")
  if (is.list(value) || (is.atomic(value) && length(value) != 1L)) return("list")
  if (is.object(value) || identical(value, NA)) return("other")
  switch(typeof(value), integer = "integer", double = "double", logical = "boolean", character = "string", "other")
}
