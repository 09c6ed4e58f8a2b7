test_that("how far a run is, is read from its messages and handed to progressr", {
  expect_identical(progress_of("1,234 of 5,000 \u00b7 140.6/s \u00b7 1.2 s left"), c(1234, 5000))
  expect_null(progress_of("note: 2 of 5 failed"))
  skip_if_not_installed("progressr")
  withr::local_options(progressr.enable = TRUE)
  seen <- list()
  listen <- function(condition) {
    seen[[length(seen) + 1L]] <<- c(condition$type, condition$amount)
    invokeRestart("muffleProgression")
  }
  watch <- function() {
    hear <- by_progressr()
    for (line in c("2 of 4 \u00b7 1/s", "note: odd", "4 of 4")) hear(line)
  }
  withCallingHandlers(watch(), progression = listen)
  expect_identical(Filter(function(one) one[[1L]] == "update", seen), list(c("update", "2"), c("update", "2")))
})

test_that("without progressr's handlers it is shown by cli, to the end", {
  skip_if_not_installed("cli")
  withr::local_options(cli.progress_handlers_only = "logger", cli.progress_show_after = 0)
  watch <- function() {
    hear <- by_cli()
    for (line in c("2 of 4 \u00b7 1/s", "note: odd", "4 of 4")) hear(line)
  }
  shown <- capture.output(watch())
  expect_match(shown[[1L]], "0/4 created")
  expect_match(shown[[length(shown)]], "4/4 terminated \\(done\\)")
})
