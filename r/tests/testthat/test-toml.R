test_that("every kind of value is written with its type and all its digits", {
  expect_identical(toml_value(1L, "p"), "1")
  expect_identical(toml_value(1, "p"), "1.0")
  expect_identical(toml_value(1e300, "p"), "1.0e+300")
  expect_identical(toml_value(TRUE, "p"), "true")
  expect_identical(toml_value(c(1.5, Inf), "p"), "[1.5, inf]")
  expect_identical(toml_value(I(3L), "p"), "[3]")
  expect_identical(toml_value(as.Date("2024-02-29"), "p"), "2024-02-29")
  expect_identical(toml_value("a \"b\"\n", "p"), "\"a \\U00000022b\\U00000022\\U0000000A\"")
  expect_identical(toml_value(c(a = 1L, b = 2L), "p"), "{\"a\" = 1, \"b\" = 2}")
  expect_identical(toml_value(list(1L, "x"), "p"), "[1, \"x\"]")
  for (value in c(1 / 3, 0.1 + 0.2, 2^-1074, .Machine$double.xmax, -0)) {
    expect_identical(as.double(toml_value(value, "p")), value)
  }
})

test_that("what no parameter can be is refused by its name", {
  expect_error(toml_value(NULL, "params$x"), "params\\$x is NULL")
  expect_error(toml_value(NA, "params$x"), "params\\$x holds NA")
  expect_error(toml_value(c(1, NA), "params$x"), "params\\$x holds NA")
  expect_error(toml_value(1i, "params$x"), "complex")
})

test_that("dates of a grid, and times, are written as they are", {
  expect_identical(toml_value(I(as.Date(c("2020-01-01", "2021-01-01"))), "p"), "[2020-01-01, 2021-01-01]")
  at <- as.POSIXct("2024-03-31 01:30:00", tz = "Europe/Berlin")
  expect_message(text <- toml_value(at, "p"), "else as text")
  expect_identical(text, "2024-03-31T00:30:00.000000Z")
  expect_identical(suppressMessages(toml_value(as.POSIXlt(at), "p")), text)
})

test_that("what reaches the model as something else is said, and what cannot be is refused by its name", {
  expect_message(toml_value(matrix(1:4, 2), "p"), "without its dimensions")
  expect_message(toml_value(data.frame(a = 1), "p"), "p: a data frame")
  expect_message(toml_value(c(a = 1), "p"), "names reach the model")
  expect_message(toml_value(as.difftime(3, units = "mins"), "p"), "number of mins")
  expect_error(toml_value(mean, "p"), "p is of type closure")
  expect_error(toml_value(as.Date(NA), "p"), "p holds NA")
})
