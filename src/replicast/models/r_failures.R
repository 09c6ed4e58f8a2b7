# Running what is the model's, so that nothing it does ends this process or goes unseen.

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
    abort = function() failed("error", "abort", GAVE_UP)
  )
}

GAVE_UP <- "R gave up, as after the restart \"abort\" or where an error met another error"

# R calls no handler on top of an overflown stack, only those to which it can fall back.
without_overflow <- function(action) {
  tryCatch(action(), stackOverflowError = function(error) {
    failed("error", class(error)[[1L]], paste("infinite recursion:", conditionMessage(error)))
  })
}

failed <- function(kind, type, message, traceback = "", package = "") {
  c(kind = kind, type = type, message = message, traceback = traceback, package = package)
}

end_with <- function(failure) {
  stop(structure(class = c("replicast_end", "condition"), list(message = "", call = NULL, failure = failure)))
}

on_error <- function(error) {
  type <- class(error)[[1L]]
  message <- message_of(error)
  if (type == "UnusableResult") end_with(failed("error", type, message))
  if (stage == READING) {
    end_with(failed("error", "UnusableResult", paste("what the model returned cannot be read:", message)))
  }
  package <- if (inherits(error, "packageNotFoundError")) error$package else ""
  end_with(failed("error", type, message, calls_shown(sys.calls()), package))
}

message_of <- function(condition) {
  tryCatch(
    enc2utf8(paste(conditionMessage(condition), collapse = "\n")),
    error = function(error) "(its message cannot be had)"
  )
}

on_warning <- function(warning) {
  level <- getOption("warn")
  if (is.numeric(level) && level >= 2) return()
  if (stage == SIMULATING && !(is.numeric(level) && level < 0)) note_warning(warning)
  if (stage == LOADING) cat("Warning:", message_of(warning), "\n", file = stderr())
  muffle <- Filter(function(restart) restart$name == "muffleWarning", computeRestarts(warning))
  if (length(muffle)) invokeRestart(muffle[[1L]])
}

note_warning <- function(warning) {
  warning_count <<- warning_count + 1L
  if (warning_count > WARNINGS_KEPT) return()
  called <- conditionCall(warning)
  where <- if (is.null(called) || identical(called[[1L]], call[[1L]])) "" else paste0("In ", shortened(called), ": ")
  warnings_found[[warning_count]] <<- paste0(where, message_of(warning))
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
  shown <- vapply(places, function(place) {
    paste0(place - depth, ": ", shortened(calls[[place]]), line_of(calls[[place]]))
  }, "")
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
