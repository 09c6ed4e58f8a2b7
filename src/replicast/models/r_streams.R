# Streams by name: `service <- replicast_stream("service")`, then `service(rexp(1, 2))`.
# A name's stream is a sub-stream of the replication's own, numbered 2^20 and more by 30 bits of the SHA-256 of the name:
# a source that is added changes no draw of the others. It goes on where it was, however often it is asked for.

M1 <- 4294967087
M2 <- 4294944443
STEP_1 <- matrix(c(0, 0, M1 - 810728, 1, 0, 1403580, 0, 1, 0), 3L)
STEP_2 <- matrix(c(0, 0, M2 - 1370589, 1, 0, 0, 0, 1, 527612), 3L)
SUB_STREAM <- 76L
FIRST_NAMED <- 2^20

named_jumps <- new.env()
named_states <- list()
named_of <- 0L

replicast_stream <- function(name) {
  if (!is.character(name) || length(name) != 1L || is.na(name) || !nzchar(name)) stop("a stream has a name, such as \"service\"")
  force(name)
  function(draw) {
    global <- globalenv()
    before <- global[[".Random.seed"]]
    assign(".Random.seed", state_of(name), envir = global)
    on.exit({
      named_states[[name]] <<- global[[".Random.seed"]]
      assign(".Random.seed", before, envir = global)
    })
    draw
  }
}

# Uniforms between 0 and 1 for a model that draws by inversion: in a mirrored replication 1 less what its other half draws.
replicast_uniform <- function(n) {
  drawn <- stats::runif(n)
  if (is_mirrored()) 1 - drawn else drawn
}

# Where a name's stream is: at its beginning, in a replication that has not drawn from it.
state_of <- function(name) {
  if (is.null(streams)) stop("replicast_stream() is for models whose streams replicast gives, and this one seeds itself")
  if (named_of != current) {
    named_states <<- list()
    named_of <<- current
  }
  state <- named_states[[name]]
  if (is.null(state)) jumped(seed_of_current(), jump_of(name)) else state
}

jump_of <- function(name) {
  known <- named_jumps[[name]]
  if (!is.null(known)) return(known)
  number <- FIRST_NAMED + thirty_bits(name)
  for (other in ls(named_jumps, all.names = TRUE)) {
    if (named_jumps[[other]]$number == number) stop("streams '", name, "' and '", other, "' would be the same: rename one")
  }
  found <- list(number = number, first = power(STEP_1, M1, number), second = power(STEP_2, M2, number))
  assign(name, found, envir = named_jumps)
  found
}

jumped <- function(seed, jump) {
  values <- ifelse(seed[-1L] < 0, seed[-1L] + 2^32, as.double(seed[-1L]))
  values <- c(product(jump$first, matrix(values[1:3], 3L), M1), product(jump$second, matrix(values[4:6], 3L), M2))
  c(seed[[1L]], as.integer(ifelse(values >= 2^31, values - 2^32, values)))
}

# step^(number * 2^76) modulo m, by squaring.
power <- function(step, m, number) {
  for (i in seq_len(SUB_STREAM)) step <- product(step, step, m)
  found <- diag(3L)
  while (number > 0) {
    if (number %% 2 == 1) found <- product(step, found, m)
    step <- product(step, step, m)
    number <- number %/% 2
  }
  found
}

# The product of two matrices modulo m; doubles hold the product of 32 bits and 16 exactly.
product <- function(a, b, m) {
  found <- matrix(0, 3L, ncol(b))
  for (column in seq_len(ncol(b))) {
    terms <- times(a, rep(b[, column], each = 3L), m)
    found[, column] <- rowSums(terms) %% m
  }
  found
}

times <- function(a, b, m) ((a * (b %/% 65536)) %% m * 65536 + a * (b %% 65536)) %% m

thirty_bits <- function(name) sum(sha_256(charToRaw(enc2utf8(name)))[1:30] * 2^(29:0))

# SHA-256 (FIPS 180-4) as its first 32 bits, a word being 32 logicals: R has no unsigned integers.
sha_256 <- function(bytes) {
  primes <- c(2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227, 229,
    233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311)
  word <- function(x) floor(x / 2^(31:0)) %% 2 == 1
  value <- function(bits) sum(bits * 2^(31:0))
  added <- function(...) word(sum(vapply(list(...), value, 0)) %% 2^32)
  turned <- function(bits, by) bits[c((33L - by):32L, 1:(32L - by))]
  moved <- function(bits, by) c(logical(by), bits[1:(32L - by)])
  fraction <- function(x) floor((x - floor(x)) * 2^32)
  rounds <- lapply(cube_root_words(primes), word)
  hash <- lapply(fraction(sqrt(primes[1:8])), word)
  length_bits <- 8 * length(bytes)
  padded <- c(as.integer(bytes), 128L, integer((55L - length(bytes)) %% 64L), (length_bits %/% 256^(7:0)) %% 256)
  for (block in seq_len(length(padded) / 64L)) {
    octets <- matrix(padded[(block - 1L) * 64L + 1:64], 4L)
    words <- lapply(seq_len(16L), function(i) word(sum(octets[, i] * 256^(3:0))))
    for (i in 17:64) {
      a <- words[[i - 15L]]
      b <- words[[i - 2L]]
      words[[i]] <- added(words[[i - 16L]], xor(xor(turned(a, 7L), turned(a, 18L)), moved(a, 3L)), words[[i - 7L]],
        xor(xor(turned(b, 17L), turned(b, 19L)), moved(b, 10L)))
    }
    s <- hash
    for (i in 1:64) {
      e <- s[[5L]]
      a <- s[[1L]]
      mixed <- xor(xor(turned(e, 6L), turned(e, 11L)), turned(e, 25L))
      first <- added(s[[8L]], mixed, (e & s[[6L]]) | (!e & s[[7L]]), rounds[[i]], words[[i]])
      most <- (a & s[[2L]]) | (a & s[[3L]]) | (s[[2L]] & s[[3L]])
      second <- added(xor(xor(turned(a, 2L), turned(a, 13L)), turned(a, 22L)), most)
      s <- list(added(first, second), a, s[[2L]], s[[3L]], added(s[[4L]], first), e, s[[6L]], s[[7L]])
    }
    hash <- Map(added, hash, s)
  }
  hash[[1L]]
}

# The first 32 bits behind the point of cube roots, of which a double holds 50.
cube_root_words <- function(primes) floor((primes^(1 / 3) - floor(primes^(1 / 3))) * 2^32)

# A model's own end of it, as a state that tells replications apart: all that it drew from by name.
with_named <- function(state) if (named_of == current) c(state, unlist(named_states, use.names = FALSE)) else state
