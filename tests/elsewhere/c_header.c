#include <mae/c_api.h>

mae_options options_of_c90(void);
mae_options options_of_c90(void) {
  mae_options options = MAE_OPTIONS_INIT;
  return options;
}
