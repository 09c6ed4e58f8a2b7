test_that("Windows is refused with the way through WSL", {
  expect_error(refuse_windows("windows"), "wsl --install")
  expect_null(refuse_windows("unix"))
  home <- asNamespace("replicast")
  usual <- home$platform_type
  withr::defer({
    assign("platform_type", usual, envir = home)
    lockBinding("platform_type", home)
  })
  unlockBinding("platform_type", home)
  assign("platform_type", function() "windows", envir = home)
  expect_error(replicast_install(), "WSL")
  expect_error(replicast_program(), "WSL")
})

test_that("a Python that is too old or missing is named with what to do", {
  expect_error(find_python(c(python = "")), "found none.*apt install python3")
  old <- tempfile("python")
  writeLines(c("#!/bin/sh", "echo 3.9.2"), old)
  Sys.chmod(old, "755")
  on.exit(unlink(old))
  expect_error(find_python(c(python = old)), "3.9.2")
  expect_error(checked_python(old), "3.11")
  expect_true(is_new_enough("3.14.0"))
  expect_false(is_new_enough("does not run"))
})

test_that("nothing is asked of a registry, which has no replicast", {
  expect_error(replicast_install(), "name the folder of replicast's repository, or a wheel: replicast_install\\(\"/path")
})

test_that("a program that is not there is named", {
  old <- options(replicast.program = "/nowhere/replicast")
  on.exit(options(old))
  expect_error(replicast_program(), "/nowhere/replicast")
})

test_that("a virtual environment is made and the program in it runs", {
  skip_on_cran()
  package <- Sys.getenv("REPLICAST_PACKAGE")
  if (!nzchar(package)) skip("REPLICAST_PACKAGE names no package to install")
  folder <- tempfile("venv-")
  on.exit(unlink(folder, recursive = TRUE))
  program <- replicast_install(package, path = folder)
  expect_true(file.exists(program))
  expect_match(program_version(program), "^[0-9]+\\.[0-9]+")
})

test_that("programs do not see the libraries that R's start put first", {
  expect_equal(outside_libraries("/r/lib:/usr/lib/x:/own", "/r/lib:/usr/lib/x"), c(LD_LIBRARY_PATH = "/own"))
  expect_equal(outside_libraries("/r/lib:/r/lib:/own:/more", "/r/lib"), c(LD_LIBRARY_PATH = "/own:/more"))
  expect_equal(outside_libraries("/r/lib", "/r/lib"), c(LD_LIBRARY_PATH = ""))
  expect_equal(outside_libraries("/r/library:/own", "/r/lib"), c(LD_LIBRARY_PATH = "/r/library:/own"))
  expect_equal(outside_libraries("/own", ""), c(LD_LIBRARY_PATH = "/own"))
})

test_that("a program sees what the session's user had set", {
  skip_on_os("windows")
  withr::local_envvar(LD_LIBRARY_PATH = paste(added_libraries(), "/own", sep = ":"))
  expect_equal(run_outside("sh", c("-c", "printf %s \"$LD_LIBRARY_PATH\""))$stdout, "/own")
})
