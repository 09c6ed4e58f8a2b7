# The tests talk to the real program, which REPLICAST_PROGRAM or the path names; where there is none they say so.
skip_without_program <- function() {
  skip_on_cran()
  found <- tryCatch(nzchar(replicast_program()), error = function(error) FALSE)
  if (!found) skip("the program replicast is not installed: see ?replicast_install")
}

local_store <- function(env = parent.frame()) {
  folder <- tempfile("store-")
  withr::defer(unlink(folder, recursive = TRUE), env)
  folder
}

write_model <- function(..., name = "model.R") {
  folder <- tempfile("project-")
  dir.create(folder)
  file <- file.path(folder, name)
  writeLines(c(...), file)
  file
}
