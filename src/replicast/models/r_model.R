# Loading the model's file, and what of R itself the model may not touch.

model <- list()

load_model <- function(request) {
  prepare_process(request$folder)
  failure <- attempt(function() evaluate_file(request$file, request$keep_source))
  if (is.null(failure)) failure <- find_function(request)
  if (!is.null(failure)) return(refuse(failure))
  name <- request$`function`
  model <<- list(name = as.name(name), value = get(name, envir = globalenv()), seeded = request$seeded)
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
  projects <- unique(c(folder, Sys.getenv("REPLICAST_PROJECT", folder)))
  libraries <- file.path(rep(projects, each = 2L), "renv/library", c("", "*"), version, R.version$platform)
  own <- Sys.glob(libraries)
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
    parse(text = lines, srcfile = srcfilecopy(file, lines, isFile = TRUE), keep.source = keep_source),
    error = function(error) {
      odd <- which(!validUTF8(lines))
      hint <- if (length(odd)) paste0("; line ", odd[[1L]], " is not UTF-8, in which the file has to be saved") else ""
      failure <- failed("error", "SyntaxError", enc2utf8(paste0(conditionMessage(error), hint)))
      end_with(failure)  # no call of the model's led here
    }
  )
}

find_function <- function(request) {
  if (exists(request$`function`, envir = globalenv(), mode = "function", inherits = FALSE)) return(NULL)
  known <- Filter(function(name) is.function(get(name, envir = globalenv())), ls(globalenv()))
  failed("error", "NoFunction", paste(known, collapse = "\n"))
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
