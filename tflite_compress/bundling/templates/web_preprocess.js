/**
 * Preprocesses a sample: @@preprocessing.
 *
 * @param values Array of numbers: the pixels of an image from 0 to 255, or the numbers of a file.
 * @param input Index of the input.
 * @returns Array of the numbers that the model takes, before quantization.
 */
export function preprocess(values, input) {
@@body
}
