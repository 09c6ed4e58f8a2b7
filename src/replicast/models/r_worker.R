# The R end of r_process.py: reads requests from one inherited pipe and answers on another, in binary.
# All of it lives in one environment under base: nothing is looked up in the model's global environment, or left in it.
base::local({
  told <- strsplit(Sys.getenv("REPLICAST_R_PIPES"), "\n", fixed = TRUE)[[1L]]
  Sys.unsetenv("REPLICAST_R_PIPES")
  requests <- file(paste0("/dev/fd/", told[[1L]]), "rb", raw = TRUE)
  answers <- file(paste0("/dev/fd/", told[[2L]]), "wb", raw = TRUE)
  here <- told[[3L]]
  log_file <- told[[4L]]
  ours <- environment()
  parts <- c(
    "internals", "answers", "columns", "failures", "model", "describe", "like_default", "values", "state", "results",
    "shape", "keep", "block", "streams", "simulate", "collate"
  )
  for (part in parts) sys.source(file.path(here, paste0("r_", part, ".R")), environment(), keep.source = FALSE)
  rm(part, parts, told, here)

  read_source <- function(bytes) {
    text <- rawToChar(readBin(requests, "raw", bytes))
    eval(parse(text = text, keep.source = FALSE), baseenv())
  }

  # A request is five integers: what is asked, then its arguments; a text or raw integers may follow.
  serve <- function() {
    repeat {
      request <- readBin(requests, "integer", 5L)
      if (length(request) < 5L) really_quit("no", runLast = FALSE)
      switch(request[[1L]],
        load_model(read_source(request[[2L]])),
        take_scenario(read_source(request[[2L]])),
        simulate_chunk(request[[2L]], request[[3L]], request[[4L]]),
        collate_results(read_source(request[[2L]]))
      )
    }
  }

  # where library() attaches packages above it; a name that begins so is taken for permanent
  attach(
    list(replicast_stream = replicast_stream, replicast_uniform = replicast_uniform),
    name = "tools:replicast", warn.conflicts = FALSE
  )
  mask_endings()
  watch_variables()
  watch_loading()
  serve()
}, base::new.env(parent = base::baseenv()))
