# Calling the command line program: its answers as JSON, its messages passed on, an interrupt handed down.

GRACE_MILLISECONDS <- 20000L
POLL_MILLISECONDS <- 100L
EXIT <- list(done = 0L, failed = 1L, wrong = 2L, broken = 3L, imprecise = 4L, interrupted = 130L)

# Runs the program; `on_line` sees each line of its messages. A list: status, output, messages.
call_program <- function(arguments, on_line = function(line) NULL, on_interrupt = function() NULL) {
  output <- tempfile("replicast-", fileext = ".json")
  seed <- get0(".Random.seed", envir = globalenv(), inherits = FALSE)
  on.exit({
    unlink(output)
    if (!is.null(seed)) assign(".Random.seed", seed, envir = globalenv())
  })
  process <- processx::process$new(
    replicast_program(), arguments, stdout = output, stderr = "|", cleanup = TRUE,
    env = c("current", outside_libraries(), session_environment()), encoding = "UTF-8"
  )
  lines <- character()
  hear <- function() {
    new <- process$read_error_lines()
    lines <<- c(lines, new)
    for (line in new) on_line(line)
  }
  tryCatch(
    while (process$is_alive() || process$is_incomplete_error()) {
      process$poll_io(POLL_MILLISECONDS)
      hear()
    },
    interrupt = function(condition) {
      end_cleanly(process)
      on_interrupt()
      stop_interrupted()
    }
  )
  list(status = process$get_exit_status(), output = read_text(output), messages = lines)
}

# Models run in this very R, with the packages that this session sees.
session_environment <- function() {
  c(
    PATH = paste(R.home("bin"), Sys.getenv("PATH"), sep = .Platform$path.sep),
    R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep), PYTHONUTF8 = "1", NO_COLOR = "1"
  )
}

# R's start puts folders of its own before the libraries that every process it starts looks up by name; a Python that has
# a libpython of its own then loads the system's, and its modules do not import. These folders are R's alone.
outside_libraries <- function(seen = Sys.getenv("LD_LIBRARY_PATH"), added = added_libraries()) {
  while (nzchar(added) && startsWith(paste0(seen, ":"), paste0(added, ":"))) {
    seen <- substring(seen, nchar(added) + 2L)
  }
  c(LD_LIBRARY_PATH = seen)
}

added_libraries <- function(script = file.path(R.home("etc"), "ldpaths")) {
  if (!file.exists(script)) return("")
  code <- "unset LD_LIBRARY_PATH R_LD_LIBRARY_PATH; . \"$0\"; printf %s \"$LD_LIBRARY_PATH\""
  processx::run("sh", c("-c", code, script), env = c("current", R_HOME = R.home()), error_on_status = FALSE)$stdout
}

# As processx::run, for a program that is none of R's.
run_outside <- function(program, arguments, ...) {
  processx::run(program, arguments, env = c("current", outside_libraries()), error_on_status = FALSE, ...)
}

end_cleanly <- function(process) {
  process$interrupt()
  process$wait(GRACE_MILLISECONDS)
  if (process$is_alive()) process$kill()
}

stop_interrupted <- function() {
  condition <- structure(class = c("replicast_interrupt", "interrupt", "condition"), list(message = "", call = NULL))
  signalCondition(condition)
  invokeRestart("abort")
}

read_text <- function(file) {
  text <- readChar(file, file.size(file), useBytes = TRUE)
  if (!length(text)) return("")
  Encoding(text) <- "UTF-8"
  text
}

# As call_program, where only an answer will do: a wrong request or a broken store is an error in R.
ask_program <- function(arguments, ..., also = EXIT$done) {
  answer <- call_program(arguments, ...)
  if (!(answer$status %in% also)) stop_with(answer, arguments[[1L]])
  answer
}

ask_json <- function(arguments, ...) {
  jsonlite::fromJSON(ask_program(c(arguments, "--json"), ...)$output, simplifyVector = FALSE)
}

stop_with <- function(answer, command) {
  text <- sub("^replicast: ", "", paste(answer$messages, collapse = "\n"))
  class <- c(paste0("replicast_exit_", answer$status), "replicast_error", "error", "condition")
  message <- if (nzchar(text)) text else paste0("replicast ", command, " ended with status ", answer$status)
  stop(structure(class = class, list(message = message, call = NULL, status = answer$status)))
}
