#pragma once

// Marks of kernels that are plain loops. With DP_VECTOR_CLONES the compiler makes one vector
// version for each level of x86-64, and the loader picks one. Without contraction and fast-math all
// versions give the same bits. A function that such a kernel calls becomes part of each version by
// DP_INLINE, a lambda by DP_LAMBDA.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define DP_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DP_VECTOR_CLONES
#endif
#define DP_INLINE inline __attribute__((always_inline))
#define DP_LAMBDA __attribute__((always_inline))
