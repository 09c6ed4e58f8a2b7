queue <- function(rate = 0.9, customers = 50) {
  gaps <- rexp(customers, rate) - rexp(customers)
  list(wait = mean(pmax(0, gaps)), served = as.integer(customers))
}

# What a plain loop over L'Ecuyer's streams gives: parallel's own stream i is the stream of replication i.
by_hand <- function(simulate, n, seed, ...) {
  kinds <- RNGkind("L'Ecuyer-CMRG")
  on.exit(RNGkind(kinds[[1L]], kinds[[2L]], kinds[[3L]]))
  set.seed(seed)
  stream <- .Random.seed
  lapply(seq_len(n), function(i) {
    stream <<- parallel::nextRNGStream(stream)
    assign(".Random.seed", stream, envir = globalenv())
    simulate(...)
  })
}

test_that("a function gives the numbers of a plain loop over parallel's streams, bit for bit", {
  skip_without_program()
  run <- rc_run(queue, n = 12, seed = 42, params = list(rate = 0.7), store = local_store())
  loop <- by_hand(queue, 12, 42, rate = 0.7)
  metrics <- rc_metrics(run)
  expect_identical(metrics$replication, 1:12)
  expect_identical(metrics$wait, vapply(loop, function(one) one$wait, 0))
  expect_identical(metrics$served, rep(50L, 12))
})

test_that("the session's random numbers are left as they are", {
  skip_without_program()
  set.seed(7)
  before <- .Random.seed
  rc_run(queue, n = 2, seed = 1, store = local_store())
  expect_identical(.Random.seed, before)
})

test_that("globals and packages that a function uses travel with it, and are named", {
  skip_without_program()
  level <- 3
  shift <- function(x) x + level
  model <- function() list(y = shift(runif(1)), files = length(tools::toTitleCase("a")))
  expect_message(run <- rc_run(model, n = 3, seed = 5, store = local_store()), "globals that travel.*shift.*level")
  loop <- by_hand(model, 3, 5)
  expect_identical(rc_metrics(run)$y, vapply(loop, function(one) one$y, 0))
})

test_that("a file runs with scenarios and a grid, and its tables keep types and zones", {
  skip_without_program()
  file <- write_model(
    "simulate <- function(beds = 10L, replication) {",
    "  times <- as.POSIXct('2024-05-01 12:00:00.25', tz = 'Europe/London') + 0:2",
    "  list(mean = rexp(1), stays = data.frame(",
    "    ward = factor(c('b', 'a', 'b'), levels = c('b', 'a')), day = as.Date('2024-02-28') + 0:2, time = times,",
    "    i = c(1L, NA, 3L), l = c(TRUE, NA, FALSE), x = c(1/3, NA, NaN), s = c('\\u00fc', NA, 'z')))",
    "}"
  )
  run <- rc_run(file, n = 2, seed = 1, scenarios = list(base = list(), more = list(beds = 12L)), store = local_store())
  stays <- as.data.frame(rc_table(run, "stays"))
  expect_identical(stays$scenario, rep(c("base", "more"), each = 6))
  expect_identical(stays$replication, rep(rep(1:2, each = 3), 2))
  expect_identical(stays$day[1:3], as.Date("2024-02-28") + 0:2)
  expect_identical(stays$time[1:3], as.POSIXct("2024-05-01 12:00:00.25", tz = "Europe/London") + 0:2)
  expect_identical(stays$i[1:3], c(1L, NA, 3L))
  expect_identical(stays$l[1:3], c(TRUE, NA, FALSE))
  expect_identical(is.nan(stays$x[1:3]), c(FALSE, FALSE, TRUE))
  expect_identical(stays$x[[1]], 1 / 3)
  expect_identical(stays$s[1:3], c("\u00fc", NA, "z"))
  expect_identical(stays$ward[1:3], factor(c("b", "a", "b"), levels = c("b", "a")))
  expect_setequal(rc_tables(run), c("metrics", "stays", "scenarios"))
})

test_that("the summary is of n values and its interval is Student's", {
  skip_without_program()
  run <- rc_run(queue, n = 8, seed = 3, store = local_store())
  found <- as.data.frame(rc_summary(run, confidence = 0.9))
  values <- rc_metrics(run)$wait
  one <- found[found$metric == "wait", ]
  expect_identical(one$n, 8L)
  expect_equal(one$mean, mean(values), tolerance = 1e-14)
  expect_equal(c(one$ci_lower, one$ci_upper), as.vector(t.test(values, conf.level = 0.9)$conf.int), tolerance = 1e-12)
  served <- found[found$metric == "served", ]
  expect_identical(served$ci_lower, NA_real_)
  single <- as.data.frame(rc_summary(rc_run(queue, n = 1, seed = 3, store = local_store())))
  expect_identical(single$half_width, c(NA_real_, NA_real_))
})

test_that("failures warn, are kept as rows, and leave the rest", {
  skip_without_program()
  model <- function(replication) if (replication == 2L) stop("no bed") else list(y = runif(1))
  expect_warning(run <- rc_run(model, n = 4, seed = 1, store = local_store()), "no bed")
  failures <- as.data.frame(rc_failures(run))
  expect_identical(failures$replication, 2L)
  expect_match(unlist(failures), "no bed", all = FALSE)
  expect_identical(rc_metrics(run)$replication, c(1L, 3L, 4L))
  expect_identical(nrow(rc_failures(rc_run(queue, n = 2, seed = 1, store = local_store()))), 0L)
})

test_that("a run is gone on with, and what was computed stays", {
  skip_without_program()
  store <- local_store()
  run <- rc_run(queue, n = 3, seed = 9, store = store, name = "mine")
  before <- rc_metrics(run)
  rc_resume(run, n = 5)
  expect_identical(as.data.frame(rc_metrics(run))[1:3, ], as.data.frame(before))
  expect_identical(rc_status(rc_open("latest", store))$done, 5L)
  expect_identical(rc_runs(store)$id, "mine")
})

test_that("a comparison has a row for each other scenario, and its baseline can be chosen", {
  skip_without_program()
  run <- rc_run(queue, n = 10, seed = 2, grid = list(rate = c(0.5, 1.5)), store = local_store())
  found <- as.data.frame(rc_compare(run))
  wait <- found[found$metric == "wait", ]
  metrics <- as.data.frame(rc_metrics(run))
  by <- split(metrics$wait, factor(metrics$scenario, unique(metrics$scenario)))
  expect_equal(wait$difference, mean(by[[2]] - by[[1]]), tolerance = 1e-12)
  turned <- as.data.frame(rc_compare(run, baseline = names(by)[[2]]))
  expect_equal(turned$difference[turned$metric == "wait"], -wait$difference)
})

test_that("what a model returned is kept whole", {
  skip_without_program()
  model <- function(replication) list(y = rnorm(1), fit = lm(dist ~ speed, cars), n = replication)
  run <- rc_run(model, n = 3, seed = 1, keep = "rds", store = local_store())
  objects <- rc_objects(run)
  expect_identical(names(objects), c("1", "2", "3"))
  expect_s3_class(objects[[2]]$fit, "lm")
  expect_identical(objects[["3"]]$n, 3L)
  expect_error(rc_objects(rc_run(queue, n = 1, seed = 1, store = local_store())), "keep = \"rds\"")
})

test_that("a value holds all results and no handle", {
  skip_without_program()
  file <- write_model("simulate <- function() list(y = runif(1), rows = data.frame(a = 1:2))")
  store <- local_store()
  kept <- rc_run(file, n = 2, seed = 1, store = store, value = TRUE)
  unlink(store, recursive = TRUE)
  expect_s3_class(kept, "replicast_value")
  expect_identical(nrow(kept$metrics), 2L)
  expect_identical(as.data.frame(kept$tables$rows)$a, c(1L, 2L, 1L, 2L))
  expect_identical(kept$seed, 1)
  expect_output(print(kept), "tables: rows")
})

test_that("a wrong request is an error that names the nearest right one, and nothing is started", {
  skip_without_program()
  store <- local_store()
  expect_error(rc_run(queue, n = 2, params = list(rat = 1), store = store), "rate", class = "replicast_exit_2")
  expect_error(rc_run(queue, n = 2, store = store, wrokers = 2), "workers")
  expect_error(rc_run("nowhere.R", n = 2, store = store), "there is no file 'nowhere.R'")
  expect_error(rc_run(queue, n = 1.5, store = store), "whole number")
  expect_error(rc_run(queue, n = 2, params = list(1), store = store), "named list")
  expect_false(dir.exists(store) && length(list.files(store)) > 0)
})

test_that("printing shows the model, what is done, and the means", {
  skip_without_program()
  run <- rc_run(queue, n = 3, seed = 1, store = local_store())
  expect_output(print(run), "3 of 3 replications \\(done\\).*seed 1.*wait")
})

test_that("pictures draw what the numbers say", {
  skip_without_program()
  run <- rc_run(queue, n = 6, seed = 1, grid = list(rate = c(0.5, 1.5)), store = local_store())
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  means <- plot(run)
  expect_identical(means$mean, as.data.frame(rc_summary(run))$mean[c(1, 3)])
  running <- plot(run, "running", metric = "wait")
  expect_equal(running$mean[[6]], means$mean[[1]])
  expect_equal(running$ci_lower[[6]], means$ci_lower[[1]])
  expect_identical(nrow(plot(run, "distribution")), 12L)
})

test_that("tables are collated to files", {
  skip_without_program()
  run <- rc_run(queue, n = 2, seed = 1, store = local_store())
  folder <- local_store()
  files <- rc_collate(run, folder)
  expect_true(all(file.exists(files)))
  expect_identical(nrow(utils::read.csv(files[["metrics"]])), 2L)
})

test_that("a model runs in this R, with the packages that this session sees", {
  skip_without_program()
  library <- tempfile("library-")
  dir.create(file.path(library, "mine"), recursive = TRUE)
  withr::defer(unlink(library, recursive = TRUE))
  withr::local_libpaths(library, action = "prefix")
  seen <- rc_run(function(library = "") list(seen = library %in% .libPaths()), n = 1, seed = 1,
                 params = list(library = normalizePath(library)), store = local_store())
  expect_identical(rc_metrics(seen)$seen, TRUE)
})

test_that("warnings are rows, one for each replication that warned", {
  skip_without_program()
  warns <- function(replication) {
    if (replication == 2L) warning("no bed")
    list(value = runif(1))
  }
  run <- rc_run(warns, n = 3, seed = 1, store = local_store())
  warned <- as.data.frame(rc_warnings(run))
  expect_identical(warned$replication, 2L)
  expect_identical(warned$count, 1L)
  expect_match(warned$warnings, "no bed")
})

test_that("messages say what to type in R", {
  run <- structure(list(id = "mine", store = "/a store"), class = "replicast_run")
  said <- c("again, here: replicast replay mine 3 --scenario 'b c' --store /x", "all failures: replicast failures mine")
  expect_identical(in_words_of_r(said, run), c(
    "again, here: rc_debug(rc_open(\"mine\", \"/a store\"), 3, scenario = \"b c\")",
    "all failures: rc_failures(rc_open(\"mine\", \"/a store\"))"
  ))
})

test_that("odd arguments are refused in a sentence", {
  run <- structure(list(id = "mine", store = "/a store"), class = "replicast_run")
  expect_error(rc_table(run, NULL), "the name of one table")
  expect_error(rc_table(run, c("a", "b")), "the name of one table")
  expect_error(rc_summary(run, NA), "between 0 and 1")
  expect_error(rc_compare(run, confidence = 95), "between 0 and 1")
  expect_error(rc_run(queue, n = NULL, store = tempfile()), "n takes a whole number")
})

test_that("a time arrives at the instant that it is, in the zone of the default", {
  skip_without_program()
  hour <- function(at = as.POSIXct("2020-01-01", tz = "Europe/Berlin")) list(hour = as.POSIXlt(at)$hour, at = as.numeric(at))
  at <- as.POSIXct("2024-06-01 12:00:00", tz = "UTC")
  run <- rc_run(hour, n = 1, seed = 1, params = list(at = at), store = local_store())
  expect_identical(rc_metrics(run)$hour, 14L)
  expect_identical(rc_metrics(run)$at, as.numeric(at))
})

test_that("a run of which everything failed has nothing to draw, and says so", {
  skip_without_program()
  run <- suppressWarnings(rc_run(function() stop("no"), n = 1, seed = 1, store = local_store()))
  expect_error(plot(run), "no metric to draw")
})
