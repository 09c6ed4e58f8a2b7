# What is called for every replication, as R's own .Internal: the closure around it costs more than what it does.

# `quick`, or where another R has it otherwise `plain`, the public function.
fastest <- function(quick, plain, ...) {
  works <- tryCatch(identical(typeof(quick(...)), typeof(plain(...))), error = function(e) FALSE)
  if (works) in_place(quick) else plain
}

# Marks a function without variables of its own as one whose calls `written_out` replaces by its body.
in_place <- function(f) structure(f, in_place = TRUE)

output <- stdout()

now <- fastest(function() .Internal(Sys.time()), function() unclass(Sys.time()))
folder <- fastest(function() .Internal(getwd()), function() getwd())
sinks <- fastest(function() .Internal(sink.number(TRUE)), function() sink.number())
message_sink <- fastest(function() .Internal(sink.number(FALSE)), function() sink.number("message"))
locale <- fastest(function() .Internal(Sys.getlocale(1L)), function() Sys.getlocale())
connections <- fastest(function() .Internal(getAllConnections()), function() getAllConnections())
searched <- fastest(function() .Internal(search()), function() search())
flush_output <- fastest(function() .Internal(flush(output)), function() flush(output))
stored_as <- fastest(function(x) .Internal(typeof(x)), function(x) typeof(x), 1)
evaluated <- fastest(function(e, at) .Internal(eval(e, at, at)), function(e, at) eval(e, at), quote(1), baseenv())

same <- fastest(
  function(x, y) .Internal(identical(x, y, TRUE, TRUE, TRUE, TRUE, FALSE, TRUE, FALSE)),
  function(x, y) identical(x, y),
  1, 1
)

# The elements of a list of vectors, end to end; any classes are lost.
joined <- fastest(function(x) .Internal(unlist(x, FALSE, FALSE)), function(x) unlist(x, FALSE, FALSE), list(1, 2))

log_size <- fastest(function() .Internal(file.info(log_file, FALSE))[[1L]], function() file.size(log_file))

absent <- new.env()
if_absent <- list(absent)

values_of <- fastest(
  function(names, environment) .Internal(mget(names, environment, "any", if_absent, FALSE)),
  function(names, environment) mget(names, envir = environment, ifnotfound = if_absent),
  "T", baseenv()
)

# The function with the calls of such functions written out, and compiled before it runs for long.
written_out <- function(f) {
  body(f) <- calls_written_out(body(f))
  compiler::cmpfun(f)
}

calls_written_out <- function(code) {
  for (place in seq_along(code)) {
    if (is.call(code[[place]])) code[[place]] <- calls_written_out(code[[place]])
  }
  called <- if (is.name(code[[1L]])) get0(as.character(code[[1L]]), ours, mode = "function", inherits = FALSE)
  if (is.null(attr(called, "in_place"))) return(code)
  given <- as.list(code)[-1L]
  names(given) <- names(formals(called))[seq_along(given)]
  calls_written_out(do.call(substitute, list(body(called), given)))
}
