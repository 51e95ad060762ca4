-- AlterTable
ALTER TABLE "reaction" ADD COLUMN     "rev" INTEGER NOT NULL;
