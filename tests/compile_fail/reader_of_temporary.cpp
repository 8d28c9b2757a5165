// expect: must_outlive_the_reader
#include <mae/data/synthetic.hpp>
#include <mae/model/encode_images.hpp>

mae::read_image const read = mae::reader_of(mae::synthetic_dataset(64, 1));
