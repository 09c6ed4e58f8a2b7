test_that("a replication debugged in this session returns what is stored, and leaves the session as it was", {
  skip_without_program()
  file <- write_model(
    "source('helper.R')", "simulate <- function(rate = 2, replication, seed) {",
    "  list(y = draw(rate), seed = seed, i = replication)", "}"
  )
  writeLines("draw <- function(rate) rexp(1, rate)", file.path(dirname(file), "helper.R"))
  run <- rc_run(file, n = 4, seed = 11, params = list(rate = 3), store = local_store())
  set.seed(1)
  before <- list(.Random.seed, getwd(), RNGkind(), Sys.getenv("TZ", NA))
  again <- rc_debug(run, 3)
  expect_identical(list(.Random.seed, getwd(), RNGkind(), Sys.getenv("TZ", NA)), before)
  metrics <- as.data.frame(rc_metrics(run))
  expect_identical(again$y, metrics$y[[3]])
  expect_equal(again$seed, metrics$seed[[3]])
  expect_false(exists("draw", envir = globalenv(), inherits = FALSE))
})
