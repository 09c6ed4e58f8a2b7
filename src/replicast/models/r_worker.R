# The R end of r_process.py: reads requests from one inherited pipe and answers on another, in binary.
# All of it lives in one environment under base, so that nothing is looked up in, or left in, the model's global environment.
base::local({
  source_of <- function(name) file.path(here, paste0("r_", name, ".R"))
  arguments <- commandArgs(trailingOnly = TRUE)
  here <- arguments[[1L]]
  requests <- file(paste0("/dev/fd/", arguments[[2L]]), "rb", raw = TRUE)
  answers <- file(paste0("/dev/fd/", arguments[[3L]]), "wb", raw = TRUE)
  log_file <- arguments[[4L]]
  for (name in c("answers", "columns", "state", "results", "keep", "model", "collate", "simulate"))
    sys.source(source_of(name), environment(), keep.source = FALSE)
  rm(name)

  read_source <- function(bytes) {
    text <- rawToChar(readBin(requests, "raw", bytes))
    eval(parse(text = text, keep.source = FALSE), baseenv())
  }

  serve <- function() {
    repeat {
      request <- readBin(requests, "integer", 5L)
      if (length(request) < 5L) leave()
      switch(request[[1L]],
        load_model(read_source(request[[2L]])),
        take_scenario(read_source(request[[2L]])),
        simulate_chunk(request[[2L]], request[[3L]], request[[4L]], request[[5L]] == 1L),
        collate_results(read_source(request[[2L]]))
      )
    }
  }

  leave <- function() really_quit("no", runLast = FALSE)
  really_quit <- base::quit
  mask_endings()
  serve()
}, base::new.env(parent = base::baseenv()))
