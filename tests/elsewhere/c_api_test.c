/* mae/c_api.h as a program in C uses it: values against a file's, errors with their texts, threads,
   a child by fork. Its arguments are the folders of fixtures tests/interop/fixtures/rgb and vit. */

#include <mae/c_api.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(holds)                                              \
  do {                                                            \
    if (!(holds)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds); \
      ++failures;                                                 \
    }                                                             \
  } while (0)

static int says(char const* part) {
  if (strstr(mae_last_error(), part) != NULL) return 1;
  fprintf(stderr, "the last error is: %s\n", mae_last_error());
  return 0;
}

enum { images = 3, image_values = 12 * 12 * 3, patches = 16, width = 16 };

struct sample {
  float pixels[images * image_values];
  float features[images * width];
};

static void make_pixels(float* pixels) {
  int i;
  for (i = 0; i < images * image_values; ++i) pixels[i] = (float)((i * 7919) % 256) / 255.0F;
}

static void check_values(mae_model const* model, struct sample* of) {
  static float tokens[images * (patches + 1) * width];
  float both[images * 2 * width];
  float class_tokens[images * width];
  int i;
  int k;
  int row;
  make_pixels(of->pixels);
  CHECK(mae_features(model, of->pixels, images, MAE_POOL_MEAN, of->features, images * width) ==
        MAE_OK);
  CHECK(mae_features(model, of->pixels, images, MAE_POOL_CLASS, class_tokens, images * width) ==
        MAE_OK);
  CHECK(mae_features(model, of->pixels, images, MAE_POOL_BOTH, both, images * 2 * width) == MAE_OK);
  CHECK(mae_tokens(model, of->pixels, images, tokens, sizeof(tokens) / sizeof(tokens[0])) ==
        MAE_OK);
  for (i = 0; i < images; ++i) {
    float const* own = tokens + (size_t)i * (patches + 1) * width;
    CHECK(memcmp(class_tokens + i * width, own, width * sizeof(float)) == 0);
    CHECK(memcmp(both + i * 2 * width, class_tokens + i * width, width * sizeof(float)) == 0);
    CHECK(memcmp(both + i * 2 * width + width, of->features + i * width, width * sizeof(float)) ==
          0);
    for (k = 0; k < width; ++k) {
      double sum = 0;
      for (row = 1; row <= patches; ++row) sum += own[row * width + k];
      CHECK(fabs(sum / patches - of->features[i * width + k]) < 1e-5);
    }
  }
}

static void check_painting(char const* path, struct sample const* of) {
  mae_options options = MAE_OPTIONS_INIT;
  mae_model* model = NULL;
  mae_sizes sizes;
  unsigned char hidden[images * patches];
  static float painted[images * image_values];
  int i;
  double changed = 0;
  options.for_reconstruction = 1;
  CHECK(mae_load(path, &options, &model) == MAE_OK);
  if (model == NULL) return;
  CHECK(mae_get_sizes(model, &sizes) == MAE_OK && sizes.paints == 1);
  for (i = 0; i < images * patches; ++i) hidden[i] = (unsigned char)(i % 4 != 0);
  CHECK(mae_reconstruct(model, of->pixels, hidden, images, painted, images * image_values) ==
        MAE_OK);
  for (i = 0; i < images * image_values; ++i) changed += fabs(painted[i] - of->pixels[i]);
  CHECK(changed > 1);
  memset(hidden + patches, 1, patches);
  CHECK(mae_reconstruct(model, of->pixels, hidden, images, painted, images * image_values) ==
        MAE_ERROR_CONFIG);
  CHECK(says("mask of image 1") && says("no visible patch"));
  mae_free(model);
  options.objective = "pixels"; /* the file says that they are normalised */
  CHECK(mae_load(path, &options, &model) == MAE_ERROR_CONFIG && model == NULL);
  CHECK(says("objective 'pixels' contradicts"));
  options.for_reconstruction = 0;
  CHECK(mae_load(path, &options, &model) == MAE_ERROR_CONFIG && says("is the decoder's"));
}

/* Of statistics that are the same for all channels a patch of one grey has the deviation 0.001: it
   is painted in that grey, in the units of the images and not of the network. */
static void check_flat_painting(char const* path) {
  mae_options options = MAE_OPTIONS_INIT;
  mae_model* model = NULL;
  unsigned char hidden[patches];
  static float flat[image_values];
  static float painted[image_values];
  int i;
  options.for_reconstruction = 1;
  options.statistics = "half";
  CHECK(mae_load(path, &options, &model) == MAE_OK);
  if (model == NULL) return;
  for (i = 0; i < patches; ++i) hidden[i] = (unsigned char)(i % 4 != 0);
  for (i = 0; i < image_values; ++i)
    flat[i] = (float)(4 * (i / 36 / 3) + i / 3 % 12 / 3) / 16.0F; /* 12 rows of 12 by 3 values */
  CHECK(mae_reconstruct(model, flat, hidden, 1, painted, image_values) == MAE_OK);
  for (i = 0; i < image_values; ++i) CHECK(fabs(painted[i] - flat[i]) < 0.02);
  mae_free(model);
}

static void check_errors(mae_model const* model, char const* path, char const* vit) {
  mae_options options = MAE_OPTIONS_INIT;
  mae_model* other = (mae_model*)&options;
  float values[image_values] = {0};
  CHECK(mae_load("/nowhere/at.all", NULL, &other) == MAE_ERROR_IO && other == NULL);
  CHECK(says("/nowhere/at.all"));
  CHECK(mae_load(path, NULL, NULL) == MAE_ERROR_ARGUMENT && says("model is NULL"));
  CHECK(mae_load(NULL, NULL, &other) == MAE_ERROR_ARGUMENT && says("path is NULL"));
  options.heads = 4;
  CHECK(mae_load(path, &options, &other) == MAE_ERROR_CONFIG && says("--heads"));
  options.heads = -1;
  CHECK(mae_load(path, &options, &other) == MAE_ERROR_CONFIG && says("below 0"));
  options.heads = 0;
  options.statistics = "mine";
  CHECK(mae_load(path, &options, &other) == MAE_ERROR_CONFIG && says("'mine'"));
  options.statistics = NULL;
  options.size = 1000;
  CHECK(mae_load(path, &options, &other) == MAE_ERROR_ARGUMENT && says("MAE_OPTIONS_INIT"));
  options.size = sizeof(options);
  options.for_reconstruction = 1;
  CHECK(mae_load(vit, &options, &other) == MAE_ERROR_CONFIG && says("without a decoder"));
  CHECK(mae_features(NULL, values, 1, MAE_POOL_MEAN, values, width) == MAE_ERROR_ARGUMENT);
  CHECK(mae_features(model, NULL, 1, MAE_POOL_MEAN, values, width) == MAE_ERROR_ARGUMENT &&
        says("images is NULL"));
  CHECK(mae_features(model, values, 1, MAE_POOL_MEAN, NULL, width) == MAE_ERROR_ARGUMENT);
  CHECK(mae_features(model, values, 1, MAE_POOL_BOTH, values, width) == MAE_ERROR_ARGUMENT &&
        says("has 32 values, there is room for 16"));
  CHECK(mae_features(model, values, (size_t)-1, MAE_POOL_MEAN, values, (size_t)-1) ==
            MAE_ERROR_ARGUMENT &&
        says("more than memory has numbers for"));
  CHECK(mae_features(model, values, 1, 17, values, width) == MAE_ERROR_ARGUMENT &&
        says("no pooling 17"));
  CHECK(mae_features(model, NULL, 0, MAE_POOL_MEAN, NULL, 0) == MAE_OK);
  CHECK(mae_reconstruct(model, values, (unsigned char const*)values, 1, values, image_values) ==
            MAE_ERROR_ARGUMENT &&
        says("for_reconstruction"));
  values[7] = (float)HUGE_VAL;
  CHECK(mae_features(model, values, 1, MAE_POOL_MEAN, values, image_values) == MAE_ERROR_NUMERIC &&
        says("image 0: a feature is not finite"));
  mae_free(NULL);
}

struct thread_task {
  mae_model const* model;
  struct sample const* expected;
  int differences;
};

static void* encode_often(void* given) {
  struct thread_task* task = given;
  float features[images * width];
  int turn;
  if (mae_last_error()[0] != '\0') ++task->differences; /* each thread has its own */
  for (turn = 0; turn < 20; ++turn) {
    if (mae_features(
            task->model, task->expected->pixels, images, MAE_POOL_MEAN, features, images * width) !=
            MAE_OK ||
        memcmp(features, task->expected->features, sizeof(features)) != 0)
      ++task->differences;
    if (mae_get_sizes(NULL, NULL) != MAE_ERROR_ARGUMENT) ++task->differences;
  }
  return NULL;
}

static void check_threads(mae_model const* model, struct sample const* expected) {
  enum { count = 4 };
  pthread_t threads[count];
  struct thread_task tasks[count];
  int i;
  for (i = 0; i < count; ++i) {
    tasks[i].model = model;
    tasks[i].expected = expected;
    tasks[i].differences = 0;
    if (pthread_create(&threads[i], NULL, encode_often, &tasks[i]) != 0) abort();
  }
  for (i = 0; i < count; ++i) {
    pthread_join(threads[i], NULL);
    CHECK(tasks[i].differences == 0);
  }
}

static void check_fork(mae_model* model, struct sample const* expected) {
  int status = -1;
  pid_t const child = fork();
  if (child == 0) {
    float features[images * width];
    int same =
        mae_features(model, expected->pixels, images, MAE_POOL_MEAN, features, images * width) ==
            MAE_OK &&
        memcmp(features, expected->features, sizeof(features)) == 0;
    mae_free(model);
    _exit(same ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char** argv) {
  static struct sample of;
  mae_options options = MAE_OPTIONS_INIT;
  mae_model* model = NULL;
  mae_sizes sizes;
  if (argc != 3) return 2;
  CHECK(mae_last_error()[0] == '\0');
  CHECK(strcmp(mae_version(), MAE_VERSION) == 0);
  options.threads = 2;
  if (mae_load(argv[1], &options, &model) != MAE_OK) {
    fprintf(stderr, "%s\n", mae_last_error());
    return 1;
  }
  CHECK(mae_get_sizes(model, &sizes) == MAE_OK);
  CHECK(sizes.image_height == 12 && sizes.image_width == 12 && sizes.image_channels == 3);
  CHECK(sizes.patch_height == 3 && sizes.patch_width == 3 && sizes.patches == patches);
  CHECK(sizes.width == width && sizes.depth == 3 && sizes.heads == 2 && sizes.paints == 0);
  CHECK(strstr(mae_notes(model), "assumed: ImageNet's mean and deviation") != NULL);
  CHECK(strcmp(mae_entry(model, "norm_epsilon"), "1e-12") == 0);
  CHECK(mae_entry(model, "nothing") == NULL);
  check_values(model, &of);
  check_painting(argv[1], &of);
  check_flat_painting(argv[1]);
  check_errors(model, argv[1], argv[2]);
  check_threads(model, &of);
  check_fork(model, &of);
  mae_free(model);
  if (failures == 0) printf("mae_c %s: all checks hold\n", mae_version());
  return failures == 0 ? 0 : 1;
}
