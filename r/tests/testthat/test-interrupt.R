test_that("an interrupt stops the program cleanly and says how to go on", {
  skip_without_program()
  skip_if_not_installed("callr")
  store <- local_store()
  file <- write_model("simulate <- function() { Sys.sleep(0.3); list(y = runif(1)) }")
  session <- callr::r_bg(
    function(file, store, library) {
      replicast::rc_run(file, n = 1000, seed = 1, store = store, name = "long", workers = 2, progress = FALSE)
    },
    list(file = file, store = store), libpath = .libPaths(), stderr = "|"
  )
  on.exit(session$kill_tree(), add = TRUE)
  stored <- function() length(list.files(file.path(store, "long", "parts"), recursive = TRUE)) > 0
  deadline <- Sys.time() + 60
  while (!stored() && Sys.time() < deadline && session$is_alive()) session$poll_io(200)
  expect_true(stored())
  session$interrupt()
  session$wait(30000)
  expect_false(session$is_alive())
  expect_match(session$read_all_error(), "go on with: rc_resume")
  expect_match(rc_status(rc_open("long", store))$state, "incomplete|cancelled")
})
