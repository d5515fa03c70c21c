// The compression of SHA-256 (FIPS 180-4, section 6.2.2) for processors with instructions for it.
//
// Callers call it only if pdsweep_has_sha256_instructions() says so; libsodium's version is the oracle and the fallback.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether this processor runs the function below.
bool pdsweep_has_sha256_instructions(void);

/// Takes `count` blocks of 64 bytes into the eight words of the state.
void pdsweep_sha256_blocks(uint32_t *state, const uint8_t *blocks, size_t count);
