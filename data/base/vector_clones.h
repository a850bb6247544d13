#pragma once

// For kernels that are plain loops: the compiler makes one vector version for each level of x86-64,
// and the loader picks. Without contraction and fast-math all of them give the same bits. DP_INLINE
// and, of a lambda, DP_LAMBDA make what such a function calls part of each version.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define DP_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DP_VECTOR_CLONES
#endif
#define DP_INLINE inline __attribute__((always_inline))
#define DP_LAMBDA __attribute__((always_inline))
