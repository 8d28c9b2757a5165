/* Masked autoencoders from C, and from whatever calls C: the library mae_c (docs/elsewhere.md).

   An object is loaded once and then only read: several threads may use it at once, with its results
   the same bits as alone. Functions that can fail return a mae_status; mae_last_error says what was
   wrong, in the words of the library. Nothing is thrown, and nothing is written to a terminal.

   A child by fork() uses a model that was loaded before it, on one thread and with the same
   results; fork between calls, not while another thread is within one. */
#ifndef MAE_C_API_H
#define MAE_C_API_H

#include <stddef.h>

#if defined(__GNUC__)
#define MAE_API __attribute__((visibility("default")))
#else
#define MAE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mae_status {
  MAE_OK = 0,
  MAE_ERROR_ARGUMENT = 1, /* of a call: a null pointer, too little room, an unknown pooling */
  MAE_ERROR_CONFIG = 2,   /* what cannot be used so, or that a file contradicts */
  MAE_ERROR_IO = 3,       /* the system refused an operation on a file */
  MAE_ERROR_FORMAT = 4,   /* a file does not hold what it should */
  MAE_ERROR_NUMERIC = 5,  /* a result is not finite */
  MAE_ERROR_MEMORY = 6,   /* there is not enough of it */
  MAE_ERROR_OTHER = 7 /* the system has no more threads, this processor lacks instructions, ... */
} mae_status;

/* What is made of an image's tokens: D or 2 D values. */
typedef enum mae_pooling {
  MAE_POOL_MEAN = 0,  /* the mean of the patch tokens */
  MAE_POOL_CLASS = 1, /* the class token */
  MAE_POOL_BOTH = 2   /* the class token, then the mean */
} mae_pooling;

/* How a model is loaded, and what its files may leave open, as the tools' flags of the same names
   say it: 0 is nothing. It must agree with what the files do say. Begin with MAE_OPTIONS_INIT. */
typedef struct mae_options {
  size_t size;            /* sizeof(mae_options) */
  int threads;            /* 0: one for every core that the process may use */
  int for_reconstruction; /* not 0: the decoder is loaded, too */
  int heads;
  int decoder_heads;
  int image_height;
  int image_width;
  int patch_height;
  int patch_width;
  double norm_epsilon;
  char const* statistics; /* of pixels: "imagenet", "half" or "none" */
  char const* objective;  /* what the decoder paints: "normalised" or "pixels" */
} mae_options;
#define MAE_OPTIONS_INIT \
  { sizeof(mae_options), 0, 0, 0, 0, 0, 0, 0, 0, 0.0, NULL, NULL }

typedef struct mae_sizes {
  size_t image_height;
  size_t image_width;
  size_t image_channels;
  size_t patch_height;
  size_t patch_width;
  size_t patches; /* N of an image; it has N + 1 tokens */
  size_t width;   /* D of a token */
  size_t depth;
  size_t heads;
  size_t paints; /* 1 where mae_reconstruct may be called, else 0 */
} mae_sizes;

typedef struct mae_model mae_model;

/* The library's version, "0.1.0". */
MAE_API char const* mae_version(void);

/* What the last call of this thread that failed has to say, one line of UTF-8; "" before. It stays
   as it is until another one fails. */
MAE_API char const* mae_last_error(void);

/* Loads a checkpoint: a safetensors file of this library, of the official code or timm, an index of
   shards, or a folder of Hugging Face's or timm's. `options` may be NULL. *model is to be given to
   mae_free, and NULL where this fails. */
MAE_API mae_status mae_load(char const* path, mae_options const* options, mae_model** model);

/* Frees a model that no thread uses any more; NULL is nothing. */
MAE_API void mae_free(mae_model* model);

MAE_API mae_status mae_get_sizes(mae_model const* model, mae_sizes* sizes);

/* Lines, each with its line feed, of what was left out of the files, stripped from their names, and
   assumed where they are silent. It is the model's own. */
MAE_API char const* mae_notes(mae_model const* model);

/* What the files say of the model, by the names of docs/files.md ("pixel_mean", "mask_ratio"); NULL
   where they say nothing. It is the model's own. */
MAE_API char const* mae_entry(mae_model const* model, char const* name);

/* Images are (n, H, W, C), channel fastest, in scaled units: bytes / 255, or stored values times
   the entry "pixel_scale". They are normalised by the model, by the statistics of its files.

   `room` is how many floats there is room for; too little is MAE_ERROR_ARGUMENT. */

/* features (n, D), with MAE_POOL_BOTH (n, 2 D); `pool` is a mae_pooling. */
MAE_API mae_status mae_features(
    mae_model const* model, float const* images, size_t n, int pool, float* features, size_t room);

/* tokens (n, N + 1, D), the class token first. */
MAE_API mae_status
mae_tokens(mae_model const* model, float const* images, size_t n, float* tokens, size_t room);

/* What the decoder paints of images whose patches are hidden where `hidden` (n, N), row of patches
   after row, is not 0: painted (n, H, W, C), every patch of it, in the units of `images`. A model
   of normalised pixels paints each patch by the mean and the deviation of the true one, which
   `images` must hold, hidden or not: it cannot fill in what nobody knows. */
MAE_API mae_status mae_reconstruct(mae_model const* model,
                                   float const* images,
                                   unsigned char const* hidden,
                                   size_t n,
                                   float* painted,
                                   size_t room);

#ifdef __cplusplus
}
#endif

#endif
